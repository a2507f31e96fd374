"""An edge host in Appliance Mode: installed from the site's image, with a small ISO of its own at the first boot.

Both kinds freeze what they are installed from, get the same user-data, and are checked over SSH like every host. A VM is
made, installed and booted by the program; a bare-metal machine is booted by somebody, and awaited by its id.
"""

from functools import partial
from typing import Any

import pulumi
from pulumi import Input, Output, ResourceOptions

from components import names
from components.appliance import ApplianceBoot, ApplianceMedia, InstallerIsoCheck, SiteIsoFile
from components.appliance_bare import ApplianceBare, bare_wanted
from components.appliance_vm import ApplianceVm, appliance_wanted
from components.errors import said_plainly
from components.host import EdgeHost
from components.login import authorized_keys
from components.remote_step import HostChecks
from components.vm_parts import HOST_KEY_SEED, frozen
from edge.appliance.by_hand import announcement, media_facts
from edge.appliance.first_login import advice
from edge.appliance.made import as_made, waits
from edge.appliance.userdata import core_digest, site_file
from edge.network import NetworkFacts
from edge.settings import HostSettings, VmSettings
from edge.vcenter.media import login_inputs
from edge.vm.hostkey import derive
from edge.vm.made_from import APPLIANCE, MadeFrom

# Where a bare-metal host's own ISO is written, below the project, by stack.
ISO_FOLDER = ".edge/isos"


class ApplianceHost(EdgeHost):
    """What both kinds of appliance have. `made` is what the machine was made from, as the claim froze it.

    Nothing is uninstalled when it leaves: a VM goes with its disk, and a bare-metal machine keeps what is on it.
    """

    made: Output[MadeFrom]
    _text: Output[str]
    _installed_digest: Output[str]

    @property
    def _image(self) -> Output[dict[str, Any]]:
        assert self._args.image is not None  # the settings refuse appliances without an image
        return self._args.image

    def _reports(self) -> Output[list[str]]:
        return Output.all(self.checks.stdout)

    def _as_made(self, given: dict[str, Any]) -> HostSettings:
        return as_made(self._args.host, given["made"])

    def _checks(self, *, after: list[pulumi.Resource], first_boot: bool) -> HostChecks:
        """Return the checks; those at a first boot are the first to notice that the host's own ISO was not read."""
        host = self._args.host
        checks: HostChecks = self._step(
            HostChecks,
            self._checks_values(made=self.made),
            after=after,
            first_boot=first_boot,
            advice=partial(advice, host.name, host.generation) if first_boot else None,
        )
        return checks

    def _wanted_version(self) -> Output[str]:
        """Return the version of the agent in the image that the host was installed from: nothing else installs one."""
        return self.made.apply(lambda made: made.pe_version.removeprefix("v"))

    def _user_data(self) -> Output[str]:
        """Return the host's own user-data, a secret: token, host key, who may log in."""
        settings, host, secrets = self._args.settings, self._args.host, self._args.secrets

        def text(given: dict[str, Any]) -> str:
            key = derive(given["seed"], site=settings.site.name, host=host.name, generation=host.generation)
            with said_plainly():
                return site_file(
                    as_made(host, given["made"]),
                    settings,
                    NetworkFacts.from_dict(given["network"]),
                    token=given["token"],
                    epoch=given["epoch"],
                    machine_uuid=given["machine"],
                    secrets=given["secrets"],
                    host_key=key,
                    authorized_keys=given["authorized"],
                )

        given = self._given(
            token=self._args.token,
            epoch=self.registration.epoch,
            seed=secrets.get(HOST_KEY_SEED),
            authorized=authorized_keys(host, secrets, settings.root),
            made=self.made,
        )
        return Output.secret(_in_any_case(given.apply(text)))

    def _dynamic(self, *, after: list[pulumi.Resource], protect: bool = False, secret: bool = False) -> ResourceOptions:
        """Return the options of a dynamic resource; `secret` where the user-data is among its inputs."""
        hidden = ResourceOptions(additional_secret_outputs=["user_data"] if secret else None)
        return ResourceOptions.merge(self._in_palette(after=after, protect=protect), hidden)

    def _installation(self, user_data: Output[str]) -> dict[str, Input[object]]:
        """Return the inputs of what gives the host its own user-data."""
        host = self._args.host
        return {
            "host": host.name,
            "owner": self._args.settings.owner,
            "generation": host.generation,
            "epoch": self.registration.epoch,
            "user_data": user_data,
        }

    def _taken_out(self, mode: str) -> dict[str, Input[object]]:
        """Return the inputs of what takes the media out again."""
        host = self._args.host
        return {
            "host": host.name,
            "mode": mode,
            "generation": host.generation,
            "epoch": self.registration.epoch,
        }

    def _own_facts(self) -> Output[dict[str, Any]]:
        """Return the facts of the machine, and of what it was installed from; nothing of it is a secret."""

        def facts(given: dict[str, Any]) -> dict[str, Any]:
            made: MadeFrom = given["made"]
            what = {
                "isoSha256": made.iso_sha256,
                "image": made.image,
                "imageDigest": made.image_digest,
                "siteDigest": given["installed"],
                "waits": waits(
                    made,
                    MadeFrom.from_json(given["wanted"]),
                    installed=given["installed"],
                    current=core_digest(given["user_data"]) if given["user_data"] else "",
                ),
                **given["media"],
            }
            address = made.address or str(self._args.host.address)
            return {"address": address, **given["machine"], "appliance": what}

        return Output.unsecret(
            Output.all(
                made=self.made,
                wanted=self._wanted,
                installed=self._installed_digest,
                user_data=self._text,
                machine=self.machine.facts,
                media=self._media_facts(),
            ).apply(facts)
        )

    def _media_facts(self) -> Output[dict[str, Any]]:
        """Return what else is exported of the media."""
        return Output.from_input({})


class ApplianceVmHost(ApplianceHost):
    """Claim, is the ISO there, VM, registration, first boot from disk, checks, healthy, media taken out."""

    def _made_from_wanted(self) -> Output[str]:
        return appliance_wanted(self._args.vms.args(self._args.host, self._vm), self._image)

    @property
    def _vm(self) -> VmSettings:
        vm = self._args.host.vm
        assert vm is not None
        return vm

    def _chain(self) -> None:
        args, host = self._args, self._args.host
        self.made = frozen(self.claim.made_from, self._wanted, APPLIANCE)
        self.installer = self._installer()
        opts = ResourceOptions(parent=self)
        self.machine = ApplianceVm(args.vms.args(host, self._vm), self.claim, self.made, self.installer, opts)
        self._login = self._log_in()
        self.registration = self._registration(after=[self.claim, *self.machine.ready])
        self._text = self._user_data()
        self.boot = self._boot(self._text)
        self._installed_digest = self.boot.site_digest
        self.checks = self._checks(after=[self.boot], first_boot=True)
        self.healthy = self._healthy(
            after=[self.checks, self.registration],
            wanted=self._wanted_version(),
            timeout=args.settings.site.healthy_timeout,
            appliance=True,
            hostAddress=self.machine.address,
        )
        self.media = self._media()

    def _place(self) -> dict[str, Input[object]]:
        """Return where the machine's vCenter is, and the datacenter in it; the password is only named."""
        vcenter = self._args.settings.vcenter(self._vm.vcenter)
        return {
            "vcenter": {"server": vcenter.server, **login_inputs(vcenter)},
            "datacenter": self._vm.datacenter,
        }

    def _installer(self) -> InstallerIsoCheck:
        host, made = self._args.host, self.made
        inputs: dict[str, Input[object]] = {
            "host": host.name,
            "owner": self._args.settings.owner,
            "generation": host.generation,
            **self._place(),
            "store": self._vm.datastore or "",
            "place": made.apply(lambda one: one.iso_place),
            "size": made.apply(lambda one: one.iso_size),
            "sha256": made.apply(lambda one: one.iso_sha256),
        }
        return InstallerIsoCheck(names.child(host.name, "installer"), inputs, self._dynamic(after=[self.claim]))

    def _boot(self, user_data: Output[str]) -> ApplianceBoot:
        host = self._args.host
        inputs: dict[str, Input[object]] = {
            **self._installation(user_data),
            **self._place(),
            "uuid": self.machine.uuid,
            "installer": self.made.apply(lambda one: one.iso_place),
            "timeout": host.install_timeout.total_seconds(),
        }
        opts = self._dynamic(after=[self.registration, *self.machine.ready], protect=host.protect, secret=True)
        # An installation takes a minute or two hours: equal pauses would be a minute long.
        opts.hooks = self._args.hooks.building()
        return ApplianceBoot(names.child(host.name, "boot"), inputs, opts)

    def _media(self) -> ApplianceMedia:
        inputs: dict[str, Input[object]] = {
            **self._taken_out("vm"),
            **self._place(),
            "uuid": self.machine.uuid,
            "site_iso": self.boot.site_iso,
        }
        name = names.child(self._args.host.name, "media")
        return ApplianceMedia(name, inputs, self._dynamic(after=[self.healthy]))


class ApplianceBareHost(ApplianceHost):
    """Claim, registration, the host's own ISO as a file, healthy (somebody boots the machine); then checks, the file deleted.

    `by_hand` is what that person needs; it is known before the host is healthy.
    """

    by_hand: Output[dict[str, Any]]

    def _made_from_wanted(self) -> Output[str]:
        return bare_wanted(self._args.settings, self._args.host, self._image, self._args.secrets)

    def _chain(self) -> None:
        host = self._args.host
        self.made = frozen(self.claim.made_from, self._wanted, APPLIANCE)
        self.machine = ApplianceBare(host, self.made, ResourceOptions(parent=self))
        self._login = self._log_in()
        self.registration = self._registration(after=[self.claim])
        self._text = self._user_data()
        self.site_iso = self._site_iso(self._text)
        self._installed_digest = self.site_iso.site_digest
        self.by_hand = Output.all(self.made, self.site_iso.path).apply(lambda both: media_facts(both[0], both[1]))
        self.by_hand.apply(self._announce)
        self.healthy = self._healthy(
            after=[self.site_iso, self.registration],
            wanted=self._wanted_version(),
            timeout=host.install_timeout,
            appliance=True,
            hostAddress=self.machine.address,
        )
        self.checks = self._checks(after=[self.healthy], first_boot=False)
        self.media = self._media()

    def _announce(self, facts: dict[str, Any]) -> None:
        """Say what is to be done by hand, while the file is there: it is deleted when the host is healthy."""
        if not pulumi.runtime.is_dry_run() and (self._args.settings.root / facts["siteIso"]).exists():
            pulumi.log.info(announcement(self._args.host.name, facts), self)

    def _site_iso(self, user_data: Output[str]) -> SiteIsoFile:
        settings, host = self._args.settings, self._args.host
        # Relative: the program may run elsewhere the next time, which is no difference.
        folder = f"{ISO_FOLDER}/{settings.stack.rpartition('/')[2]}"
        inputs: dict[str, Input[object]] = {**self._installation(user_data), "folder": folder}
        opts = self._dynamic(after=[self.registration], protect=host.protect, secret=True)
        return SiteIsoFile(names.child(host.name, "site-iso"), inputs, opts)

    def _media(self) -> ApplianceMedia:
        inputs: dict[str, Input[object]] = {**self._taken_out("bare"), "path": self.site_iso.path}
        name = names.child(self._args.host.name, "media")
        # Not after the checks: while the file is waited for, it follows the settings, and this machine has read it.
        opts = self._dynamic(after=[self.healthy])
        return ApplianceMedia(name, inputs, opts)

    def _media_facts(self) -> Output[dict[str, Any]]:
        return self.by_hand.apply(lambda facts: {"media": facts})


def _in_any_case(text: Output[str]) -> Output[str]:
    """Return a text that has a value in every update.

    Unknown there means that something before has failed, so that the engine skips what takes it. It looks at the inputs all
    the same, and for a secret without a value it ends the run for all hosts (seen on the engine).
    """
    if pulumi.runtime.is_dry_run():
        return text
    return text.apply(lambda known: known if isinstance(known, str) else "", run_with_unknowns=True)
