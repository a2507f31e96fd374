"""What a login that fails means at an appliance VM: it is the first thing that shows a first boot without the host's own ISO.

Login key, host key and address come on that ISO. Without it the machine answers as another one, or not at all, and never
registers; nothing later in a run says so, because the checks come before the wait for Palette.
"""

from __future__ import annotations

from edge.appliance.anew import made_anew

# Words of the command provider, or of a jump host: somebody answers, nobody does.
_ANOTHER = ("host key mismatch", "unable to authenticate")
_NOBODY = ("i/o timeout", "no route to host", "timed out", "host is unreachable")

_LOOK = (
    "look at the console of its VM, and whether `edge-hosts-cidata-...iso` lies in the VM's folder on the datastore and is in"
    " its drive"
)


def advice(host: str, generation: int, error: str) -> str:
    """Return what to do about a login to an appliance VM that failed, "" for an error that is about something else."""
    said, anew = error.lower(), made_anew({"generation": generation})
    begins = f"if {host} was never healthy since it was installed, {_LOOK}; that ISO is read at the first boot only"
    if any(word in said for word in _ANOTHER):
        return (
            f"{begins}, and without it the host has neither the login key nor the pinned host key: then {anew}. If it was"
            " read, another machine may have this address, or `ssh.user` or the key have been changed since"
        )
    if any(word in said for word in _NOBODY):
        return (
            f"{begins}, and without it the host has no address: then {anew}. If it was read, that address is not reachable"
            " from here: correct the port group, the gateway or the way; a wrong `address` is corrected together with the"
            " generation"
        )
    return ""
