"""Appliance Mode: hosts that install themselves from an ISO instead of an agent on their own Linux. No Pulumi.

made        what a machine is installed from, and what waits for its next generation
minimum     whether a machine is large enough and has its address, by its record in Palette
by_hand     what a person does to install a bare-metal machine
userdata    the two user-data files: of the installer ISO, and of one host
anew        how a machine is made anew after a run that failed
boot        from the installed disk to the first boot with the host's own ISO
first_login what a login that fails means at a VM that has had its first boot
own_iso     a host's own ISOs on datastores: their names, and how they are taken away
media       what is taken out again when the host is healthy
iso_file    the host's own ISO as a file, for a machine that somebody boots by hand
"""
