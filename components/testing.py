"""A recording stand-in of the engine, for tests of programs and components, and for `edgectl plan`.

Use it in your own tests: `record_program(...)` runs the program of a stack and returns every registration with what a
reviewer has to see: type, name, inputs with their secrets, parent, dependencies, and the options.
"""

import asyncio
import json
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, rpc
from pulumi.runtime.mocks import MockMonitor, set_mocks
from pulumi.runtime.resource import register_resource_outputs
from pulumi.runtime.settings import SETTINGS, get_root_resource, set_root_resource
from pulumi.runtime.stack import run_pulumi_func

from edge.appliance.userdata import core_digest

SECRET_KEY = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the mark of a secret on the wire

# What each kind of resource answers. A state would hold the same fields.
OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "command:remote:Command": {"stdout": json.dumps({"schema": 1, "results": []}), "stderr": ""},
    "pulumi-python:dynamic/edge:EdgeHostClaim": {"made_from": "{}"},
    "pulumi-python:dynamic/edge:EdgeHostRegistration": {"epoch": "0123456789abcdef", "since": "2026-01-01T00:00:00Z"},
    "pulumi-python:dynamic/edge:EdgeHostHealthy": {
        "state": "ready",
        "health": "healthy",
        "moved_by_palette": False,
        "agent_version": "4.9.38",
        "arch": "amd64",
    },
    "pulumi-python:dynamic/edge:InstallerIso": {"files": [], "present": True},
    "pulumi-python:dynamic/edge:RegistrationToken": {"token": "token-of-the-recording"},
    "pulumi-python:dynamic/edge:ApplianceBoot": {"site_iso": "[of-the-recording] vm/edge-hosts-cidata.iso"},
    "pulumi-python:dynamic/edge:ApplianceMedia": {"removed": ""},
    "aws:ssm/activation:Activation": {"activationCode": "code-of-the-recording"},
    "aws:eks/cluster:Cluster": {
        "arn": "arn:aws:eks:eu-central-1:066635153087:cluster/of-the-recording",
        "endpoint": "https://of-the-recording.example",
        "certificateAuthority": {"data": ""},
        "vpcConfig": {
            "clusterSecurityGroupId": "sg-0123456789abcdef0",
            "vpcId": "vpc-of-the-recording",
            "subnetIds": [],
        },
    },
}
# What a vCenter answers to a look-up by name; an id tells what was asked for.
LOOKUPS: Mapping[str, Mapping[str, Any]] = {
    "vsphere:index/getVirtualMachine:getVirtualMachine": {
        "guestId": "ubuntu64Guest",
        "firmware": "efi",
        "efiSecureBootEnabled": True,
        "scsiType": "pvscsi",
        "disks": [
            {"size": 20, "thinProvisioned": True, "eagerlyScrub": False, "label": "Hard disk 1", "unitNumber": 0}
        ],
        "networkInterfaceTypes": ["vmxnet3"],
    },
    "vsphere:index/getHost:getHost": {"resourcePoolId": "pool-of-the-host"},
    "vsphere:index/getComputeCluster:getComputeCluster": {"resourcePoolId": "pool-of-the-cluster"},
}
# What AWS answers to a look-up, from what it was asked. No address is made up: rules would judge it by the user's
# networks.
AWS_LOOKUPS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _: {"accountId": "066635153087"},
    "aws:ec2/getNetworkInterfaces:getNetworkInterfaces": lambda _: {"ids": []},
    "aws:ec2/getSubnet:getSubnet": lambda asked: {"availabilityZone": f"zone-of-{asked['id']}"},
}


@dataclass(frozen=True)
class Registration:
    """One resource as the engine would have been asked for it. Inputs keep their secret wrappers."""

    type: str
    name: str
    custom: bool
    parent: str
    inputs: Mapping[str, Any]
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    replace_on_changes: tuple[str, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    deleted_with: str = ""
    aliases: int = 0
    on_error: tuple[str, ...] = ()
    import_id: str = ""
    provider: str = ""

    def is_secret(self, name: str) -> bool:
        """Return whether the input `name` is wrapped as a secret as a whole."""
        value = self.inputs.get(name)
        return isinstance(value, dict) and SECRET_KEY in value

    def plain(self, name: str) -> Any:
        """Return the input `name` without secret wrappers."""
        return unwrapped(self.inputs.get(name))


@dataclass
class Recording:
    """All registrations of a run, in the order in which they were made, and the exports of the stack."""

    resources: list[Registration] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, type_: Optional[str] = None) -> Registration:
        """Return the one resource with this name (and type). Raises LookupError when there is none, or several."""
        found = [one for one in self.resources if one.name == name and type_ in (None, one.type)]
        if len(found) != 1:
            raise LookupError(
                f"{len(found)} resources are named {name!r}; known: {[one.name for one in self.resources]}"
            )
        return found[0]


def unwrapped(value: Any) -> Any:
    """Return a wire value without its secret wrappers, at any depth."""
    if isinstance(value, dict):
        if SECRET_KEY in value:
            return unwrapped(value["value"])
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrapped(item) for item in value]
    return value


@contextmanager
def own_event_loop() -> Iterator[None]:
    """Give a worker thread an event loop for one call: the SDK's mocks make one per thread and never close it."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_told_once)
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class RecordingMocks(Mocks):
    """Answers every resource from a table by type, so that programs run to their end without an engine."""

    def __init__(
        self,
        outputs: Optional[Mapping[str, Mapping[str, Any]]] = None,
        *,
        unknown: bool = False,
        lookups: Optional[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = None,
    ) -> None:
        self._outputs = {**OUTPUTS, **(outputs or {})}
        self._lookups = {**AWS_LOOKUPS, **(lookups or {})}
        self._unknown = unknown

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if self._unknown and args.custom:
            return "", dict(args.inputs)
        own = self._outputs.get(f"{args.typ}::{args.name}", {})
        state = {**args.inputs, **self._outputs.get(args.typ, {}), **own}
        if args.typ.endswith(":EdgeHostClaim"):
            state["generation"] = args.inputs["generation"]
        if args.typ.endswith(":InstallerBuild"):
            state.update(_built(args.inputs))
        if args.typ.endswith(":InstallerIso"):
            state["path"] = f"{args.inputs['folder']}/{args.inputs['iso_name']}-of-the-recording"
        if args.typ.endswith(":EdgeHostHealthy"):
            state["uid"] = args.inputs["host"]
        if args.typ.endswith(":SiteIsoFile"):
            state["path"] = f"{args.inputs['folder']}/{args.inputs['host']}.iso"
        if "user_data" in args.inputs:
            state.setdefault("site_digest", core_digest(unwrapped(args.inputs["user_data"])))
        return f"{args.name}-id", state

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], Optional[list[tuple[str, str]]]]:
        if args.token in self._lookups:
            return {"id": "of-the-recording", **args.args, **self._lookups[args.token](args.args)}, []
        if not args.token.startswith("vsphere:index/get"):
            raise NotImplementedError(f"the recording has no answer for {args.token}")
        kind = args.token.rsplit(":get", 1)[-1]
        return {"id": f"{kind}-{args.args.get('name', '')}", **args.args, **LOOKUPS.get(args.token, {})}, []


def _built(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a build would answer, with digests that nothing has."""
    asked = unwrapped(dict(inputs))["request"]
    kinds = list(asked["user_data"])
    given = dict(str(line).split("=", 1) for line in asked["arg"])
    name = f"nodeadm-{asked['kubernetes']}-{asked['tag']}-{asked['custom_tag']}"
    facts = {
        "canvos_tag": asked["tag"],
        "canvos_commit": asked["commit"] or "0" * 40,
        "pe_version": asked["tag"],
        "kubernetes": asked["kubernetes"],
        "os": given["OS_DISTRIBUTION"],
        "os_version": given.get("OS_VERSION", ""),
        "image": f"{asked['registry']}/{asked['repo']}:{name}",
        "image_digest": f"sha256:{'0' * 64}",
        "inputs": "0" * 64,
        "isos": {
            kind: {"name": f"{asked['iso_name']}-{kind}.iso", "sha256": "0" * 64, "size": 1 << 31} for kind in kinds
        },
    }
    isos = {kind: f"{asked['workdir']}/CanvOS/build/{asked['iso_name']}-{kind}.iso" for kind in kinds}
    return {"facts": facts, "builder_isos": isos, "parts": {}, "warnings": [], "on_builder": True, "inputs": "0" * 64}


class RecordingMonitor(MockMonitor):
    """Keeps each registration request, with all the options that plain mocks do not show."""

    def __init__(self, mocks: Mocks, recording: Optional[Recording] = None) -> None:
        super().__init__(mocks)
        self.recording = Recording() if recording is None else recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the wire protocol
        with own_event_loop():
            if request.type != "pulumi:pulumi:Stack":
                self.recording.resources.append(_registration(request))
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        with own_event_loop():
            self.recording.resources.append(_read(request))
            return super().ReadResource(request)  # type: ignore[no-untyped-call]

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        with own_event_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.recording.exports = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1] if urn else ""


def _registration(request: Any) -> Registration:
    return Registration(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=_name(request.parent),
        inputs=rpc.deserialize_properties(request.object, keep_unknowns=True),
        dependencies=tuple(sorted({_name(urn) for urn in request.dependencies})),
        property_dependencies={
            key: tuple(sorted({_name(urn) for urn in value.urns}))
            for key, value in sorted(request.propertyDependencies.items())
            if value.urns
        },
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        replace_on_changes=tuple(request.replaceOnChanges),
        ignore_changes=tuple(request.ignoreChanges),
        additional_secret_outputs=tuple(sorted(request.additionalSecretOutputs)),
        deleted_with=_name(request.deletedWith),
        aliases=len(request.aliases),
        on_error=tuple(request.hooks.on_error),
        import_id=request.importId,
        provider=_provider_name(request.provider),
    )


def _provider_name(reference: str) -> str:
    """Return the name of an explicit provider; its reference is URN and id."""
    return _name(reference.rpartition("::")[0]) if reference else ""


def _read(request: Any) -> Registration:
    """Return a resource that is only read; what it is known by stands in `import_id`."""
    return Registration(
        type=request.type,
        name=request.name,
        custom=True,
        parent=_name(request.parent),
        inputs=rpc.deserialize_properties(request.properties, keep_unknowns=True),
        dependencies=tuple(sorted({_name(urn) for urn in request.dependencies})),
        import_id=request.id,
        provider=_provider_name(request.provider),
    )


def record(
    program: Callable[[], None],
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    secret_keys: list[str],
    preview: bool = False,
    outputs: Optional[Mapping[str, Mapping[str, Any]]] = None,
    threads: int = 16,
    lookups: Optional[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = None,
    recording: Optional[Recording] = None,
) -> Recording:
    """Run `program` under recording mocks and return what it registered. Raises what the program raises.

    In a `preview` everything that a resource would compute is unknown, as in the first preview of a new stack. `outputs`
    and `lookups` replace what resources and look-ups answer, by type (or TYPE::NAME) and token. `recording` is filled and
    returned: it has what was registered also when the program fails.
    """
    mocks = RecordingMocks(outputs, unknown=preview, lookups=lookups)
    monitor = RecordingMonitor(mocks, recording)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_told_once)
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(threads))

    def run() -> None:
        root = get_root_resource()
        if root is not None:
            root.outputs = {}  # type: ignore[attr-defined]  # the SDK keeps one stack, with the exports of earlier runs
        program()
        if root is not None:
            register_resource_outputs(root, getattr(root, "outputs", {}))

    try:
        # The SDK keeps the first stack of a process, with its name and exports, and what a failed program left behind.
        set_root_resource(None)  # type: ignore[arg-type]
        SETTINGS.outputs = set()
        pulumi.runtime.set_all_config(dict(config), secret_keys)
        set_mocks(mocks, project=project, stack=stack, preview=preview, monitor=monitor)
        loop.run_until_complete(run_pulumi_func(run))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    return monitor.recording


def _told_once(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over what Outputs say that nobody waits for any more: the error that failed them is raised by `record`."""
    if "never retrieved" not in str(context.get("message")):
        loop.default_exception_handler(context)


def record_program(folder: Path, **options: Any) -> Recording:
    """Run `__main__.py` of `folder` under recording mocks, as the language host would run it."""

    def program() -> None:
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    return record(program, **options)
