"""`edgectl render STACK HOST`: everything that a host would get, with every secret masked. Reads no secret at all.

Of a build stack, which has no hosts: everything that the vendor's builder would get.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from edge.checks.values import checks_values
from edge.endpoints import endpoint_table, query_for
from edge.errors import SettingsError
from edge.findings import Finding
from edge.images.reference import image_reference
from edge.network import NetworkFacts
from edge.packages import FAMILIES, packages, services
from edge.releases import Installer, installer
from edge.settings import BuildSettings, HostSettings, StackSettings, load_any, load_stack
from edge.settings.access import KeyFile, key_secret
from edge.settings.load import stack_kind
from edge.settings.translate import nearest
from edge.steps_values import agent_values, prepare_values, started_values
from edge.userdata import render_userdata
from edge.vm.guestinfo import METADATA, USER_DATA, extra_config, metadata
from edge.vm.guestinfo import user_data as first_boot
from edge.vm.hostkey import HostKey
from edgectl.check import wide_console
from edgectl.network import FactsFile, asked

MASK = "••••"
EPOCH = "made-when-it-registers"
MACHINE = "uuid-of-the-machine"
INSTANCE_VERSION = "VERSION-OF-THE-INSTANCE"
_APART = {"EH_USERDATA": "(see above)", "EH_USERDATA_CORE_SHA": "(of the real values)"}
_TOKEN = "ehmaskedtoken"  # noqa: S105  (stands for the token, and is replaced by the mask)
_HOST_KEY = "ehmaskedhostkey"  # stands for the private key of a virtual machine
_PUBLIC = "ssh-ed25519 (derived from the secret hostKeySeed)"


def command(
    stack: Annotated[str, typer.Argument(help="The stack, as in Pulumi.STACK.yaml.")],
    host: Annotated[
        str, typer.Argument(help="The host, as under `hosts` in the settings; none for a build stack.")
    ] = "",
    network_facts: FactsFile = None,
    stack_file: Annotated[Path | None, typer.Option(help="Another place of the stack file.")] = None,
    root: Annotated[Path, typer.Option(help="The project folder.")] = Path(),
    full: Annotated[bool, typer.Option(help="Print values of several lines in full.")] = False,
    user_data: Annotated[bool, typer.Option("--user-data", help="Print the agent's user-data only.")] = False,
    vm_metadata: Annotated[bool, typer.Option("--vm-metadata", help="Print the metadata of the VM only.")] = False,
    vm_user_data: Annotated[
        bool, typer.Option("--vm-user-data", help="Print what cloud-init does at the VM's first boot only.")
    ] = False,
) -> None:
    """Show what a host would get: user-data, packages, downloads and the values of every step; secrets are masked.

    For a VM also metadata and user-data of its first boot, and the keys that it gets in vSphere.
    """
    if stack_kind(stack, root, stack_file=stack_file) == "build":
        _render_build(stack, root, stack_file, host)
        return
    settings = load_stack(stack, root, stack_file=stack_file)
    if host not in settings.site.hosts:
        near = nearest(host, settings.site.hosts) if host else None
        hint = f"Did you mean {near}? " if near else ""
        there = ", ".join(settings.site.hosts)
        problem = "is no host of this stack" if host else "has several hosts, and none is named"
        raise SettingsError([Finding("site.hosts", host or None, problem, f"{hint}There are: {there}.")])
    view = settings.host_view(host)
    masked = Masked(settings, view, asked(settings, root, network_facts).facts)
    if view.mode == "appliance" and (vm_metadata or vm_user_data):
        problem = "is an appliance, which reads no metadata of vSphere: its own ISO holds all that it gets"
        raise SettingsError([Finding("site.hosts", host, problem, "Use --user-data.")])
    wanted = {masked.user_data: user_data, masked.vm_metadata: vm_metadata, masked.vm_user_data: vm_user_data}
    if any(wanted.values()):
        typer.echo("---\n".join(text() for text, asked in wanted.items() if asked), nl=False)
        return
    console = wide_console()
    if view.mode == "appliance":
        _print_appliance(console, settings, masked)
    else:
        if view.vm is not None:
            _print_machine(console, masked)
        _print_yaml(console, "user-data", "/var/lib/edge-hosts/user-data, mode 0600", masked.user_data())
        _print_packages(console, settings)
        console.print(download_table(settings))
    console.print()
    for step, values in masked.steps().items():
        console.print(value_table(step, values, full=full))
        console.print()


def _render_build(stack: str, root: Path, stack_file: Path | None, host: str) -> None:
    """Show what the builder of a build stack would get. Raises SettingsError when a host is named."""
    from edgectl.render_build import show

    if host:
        problem = "is no host of this stack: a build stack has none"
        raise SettingsError([Finding("site.hosts", host, problem, "Leave the host out.")])
    settings = load_any(stack, root, stack_file=stack_file)
    assert isinstance(settings, BuildSettings)
    show(wide_console(), settings)


class Masked:
    """What a host gets, made with stand-ins for all secrets, which are replaced by the mask afterwards."""

    def __init__(self, settings: StackSettings, host: HostSettings, network: NetworkFacts) -> None:
        self._settings = settings
        self._host = host
        self._network = network
        self._secrets = settings.stand_ins()
        self._machine = "" if host.vm is None else MACHINE

    def user_data(self) -> str:
        """Return the user-data as it would be, masked; of an appliance that of its own ISO."""
        given = (self._host, self._settings, self._network)
        more: dict[str, Any] = {"epoch": EPOCH, "machine_uuid": self._machine, "secrets": self._secrets}
        if self._host.mode == "appliance":
            from edge.appliance.userdata import site_file

            key = HostKey(_HOST_KEY, _PUBLIC)
            text = site_file(*given, token=_TOKEN, host_key=key, authorized_keys=self._authorized(), **more)
        else:
            text = render_userdata(*given, token=_TOKEN, **more)
        return self._mask(text)

    def vm_metadata(self) -> str:
        """Return the metadata of a virtual machine. Raises SettingsError for a host that is none."""
        return metadata(self._host, self._settings)

    def vm_user_data(self) -> str:
        """Return the user-data of a virtual machine's first boot, masked; the host key is known with the seed only."""
        return self._mask(first_boot(self._host, HostKey(_HOST_KEY, _PUBLIC), self._authorized()))

    def vm_keys(self) -> dict[str, str]:
        """Return the configuration keys of a virtual machine in vSphere; both documents are shown apart."""
        keys = extra_config(self._settings, self._host, HostKey(_HOST_KEY, _PUBLIC), self._authorized())
        apart = {METADATA: "(see above, encoded)", USER_DATA: "(see above, encoded; a secret)"}
        return {name: apart.get(name, value) for name, value in keys.items()}

    def _authorized(self) -> tuple[str, ...]:
        """Return who may log in; a public half that has to be read from a private key is only named."""
        ssh = self._host.ssh
        if ssh.authorized_keys:
            return ssh.authorized_keys
        if isinstance(ssh.private_key, KeyFile):
            return (f"(public half of the file {ssh.private_key.file})",)
        secret = key_secret(ssh.private_key)
        return (f"(public half of the secret {secret})",) if secret else ()

    def steps(self) -> dict[str, dict[str, str]]:
        """Return the values of every remote step by its name, masked; the user-data is shown apart."""
        settings, host, secrets, network = self._settings, self._host, self._secrets, self._network
        table = endpoint_table(query_for(settings, network, host))
        asked = INSTANCE_VERSION if settings.release.agent.version == "instance" else None
        more: dict[str, Any] = {"machine": self._machine, "instance_version": asked}
        steps = {"checks": checks_values(settings, host, network, table, secrets=secrets, **more)}
        if host.mode == "agent":
            steps |= self._agent_steps(more)
        return {step: {name: self._mask(value) for name, value in values.items()} for step, values in steps.items()}

    def _agent_steps(self, more: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Return the values of the steps that an appliance does not have: nothing is installed on it."""
        settings, host, secrets, network = self._settings, self._host, self._secrets, self._network
        return {
            "prepare": prepare_values(settings, host, network, secrets, machine=self._machine),
            "agent": agent_values(settings, host, network, secrets, token=_TOKEN, epoch=EPOCH, **more),
            "started": started_values(settings, host, epoch=EPOCH, **more),
        }

    def _mask(self, text: str) -> str:
        for stand_in in (_TOKEN, _HOST_KEY, *self._secrets.values()):
            text = text.replace(stand_in, MASK)
        return text


def _print_appliance(console: Console, settings: StackSettings, masked: Masked) -> None:
    """Print what an appliance gets: nothing but the user-data of its own ISO, and the image that it boots first."""
    _print_yaml(console, "user-data", "on the host's own ISO (cidata), deleted when it is healthy", masked.user_data())
    image = image_reference(settings) or "that of the build stack"
    console.print(f"[bold]image[/bold]  {image}", highlight=False)


def _print_machine(console: Console, masked: Masked) -> None:
    """Print what a virtual machine gets before its first boot."""
    _print_yaml(console, "VM metadata", "guestinfo.metadata, kept by the guest", masked.vm_metadata())
    console.print()
    _print_yaml(console, "VM user-data", "guestinfo.userdata, cleared after the first boot", masked.vm_user_data())
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title="VM configuration keys", title_justify="left")
    table.add_column("key")
    table.add_column("is", overflow="fold")
    for name, value in masked.vm_keys().items():
        table.add_row(name, Text(value))
    console.print(table)
    console.print()


def _print_yaml(console: Console, title: str, place: str, text: str) -> None:
    console.print(f"[bold]{title}[/bold]  {place}")
    if console.is_terminal:
        console.print(Syntax(text, "yaml", theme="ansi_light", background_color="default", word_wrap=True))
    else:
        console.print(Text(text), soft_wrap=True)


def _print_packages(console: Console, settings: StackSettings) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title="packages and services", title_justify="left")
    table.add_column("on")
    table.add_column("what", overflow="fold")
    manages = settings.site.palette.manages
    more = settings.release.packages
    for family in FAMILIES:
        names = [entry.split("|")[0] for entry in packages(family, manages)]
        table.add_row(family, " ".join(dict.fromkeys((*names, *getattr(more, family)))))
    table.add_row("services", " ".join(services(manages)))
    console.print(table)
    console.print()


def download_table(settings: StackSettings) -> Table:
    """Return what the host downloads, and the digests that it must find."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title="downloads", title_justify="left")
    for heading in ("what", "address", "sha256"):
        table.add_column(heading, overflow="fold")
    for what, address, digest in _downloads(settings):
        table.add_row(what, address, digest or Text("not pinned", "yellow"))
    return table


def _downloads(settings: StackSettings) -> list[tuple[str, str, str]]:
    agent = settings.release.agent
    files: Installer = installer(agent, fips=settings.site.fips, instance_version=INSTANCE_VERSION)
    rows = [("script", files.script_url, files.script_sha256)]
    return rows + [(f"agent {arch}", url, files.binary_sha256[arch]) for arch, url in files.binary_urls.items()]


def value_table(step: str, values: Mapping[str, str], *, full: bool) -> Table:
    """Return the values that a step gets on its standard input; long ones by their size unless `full`."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=f"step {step}", title_justify="left")
    table.add_column("value")
    table.add_column("is", overflow="fold")
    for name, value in sorted(values.items()):
        lines = value.count("\n") + 1
        shown = value if full or lines == 1 else f"({lines} lines, {len(value)} characters; --full shows them)"
        table.add_row(name, Text(_APART.get(name, shown)))
    return table
