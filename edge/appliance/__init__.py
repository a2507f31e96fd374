"""Appliance Mode: hosts that install themselves from an ISO instead of an agent on their own Linux. No Pulumi.

userdata    the two user-data files: of the installer ISO, and of one host
boot        from the installed disk to the first boot with the host's own ISO
media       what is taken out again when the host is healthy
iso_file    the host's own ISO as a file, for a machine that somebody boots by hand
"""
