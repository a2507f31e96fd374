"""What the program asks of a vCenter by itself, besides what the Pulumi provider does: trust, reads, repairs."""
