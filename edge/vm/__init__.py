"""What a virtual machine is made from, decided without asking anything: its host key, its MAC address, what the guest's
cloud-init reads at the first boot, what the claim freezes, and what a changed setting does to a running machine.
"""
