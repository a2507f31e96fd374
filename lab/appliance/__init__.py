"""The appliance of the lab: what its image holds, what its installer does, how its machine sees the media in its drives."""
