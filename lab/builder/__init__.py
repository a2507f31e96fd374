"""The build side of the lab: a build machine, and what stands in on it and around it.

canvos.py   a git repository with the documented files and tags of CanvOS; every text in it is the lab's own
roots.py    the root of the build machine, and the root that installer images begin with
machine.py  the build machine `builder`: its tools, its Docker folder, what it is shown of the lab
tools/      what runs on it: `docker`, and inside of that the builds; Python's standard library only

There is no Docker and no Earthly: `docker` is a program of the lab that keeps images as an OCI layout, really pushes them,
and knows the few containers that the vendor's script starts. What a build makes is real: a root file system in which the
customizations have run, an OCI image, an ISO 9660.
"""
