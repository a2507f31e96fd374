"""What the vendor's image builder (CanvOS) is given and what it gives back, as pure functions. No Pulumi, no network.

tags        which tag is built, and what a tag really holds
arg         the `.arg` file, read by Earthly and by bash
dockerfile  the customization block
certs       authorities that the build itself must trust
images      names of provider images, pack values of the cluster profile
artefacts   whether a build has made what it should: its exit code does not tell
inputs      what a build is made of, as one digest: it is repeated only when that changes
"""
