"""Rules about the login at machines that the program makes or installs: only keys log in there, and it must know one."""

from __future__ import annotations

from collections.abc import Iterator

from edge.findings import Finding
from edge.settings.hosts import HostBase
from edge.settings.site import Site


def key_login_findings(site: Site, name: str, host: HostBase, because: str) -> Iterator[Finding]:
    """Yield what keeps the program from logging in by a key at a host; `because` says why it must be a key."""
    own, mine = host.ssh, f"site.hosts.{name}.ssh"
    ssh = own.over(site.ssh) if own else site.ssh
    fields = own.model_fields_set if own else frozenset[str]()
    if ssh.password is not None:
        where = mine if "password" in fields else "site.ssh"
        remedy = "Set `privateKey` and remove `password`."
        if where == "site.ssh":
            remedy = f"Remove it, or write `ssh: {{password: null, privateKey: secret}}` at {name}."
        yield Finding(f"{where}.password", None, f"cannot be: {name} {because}", remedy)
    elif ssh.private_key == "agent" and not ssh.authorized_keys:
        where = mine if "private_key" in fields else "site.ssh"
        problem = "is missing: the program cannot take the public key of a new machine out of the SSH agent"
        remedy = "Add `authorizedKeys:` with the public key, as `ssh-add -L` prints it."
        yield Finding(f"{where}.authorizedKeys", None, problem, remedy)
