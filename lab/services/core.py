"""All stand-ins of one lab under one hand: start, stop, faults, request logs, Palette helpers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from edge.errors import LabError
from lab.services.build_faults import BuildFaults
from lab.services.ca import Authorities, ensure_ca
from lab.services.canvos import CanvosRepository
from lab.services.config import ServicesConfig
from lab.services.dns import DnsServer
from lab.services.downloads import Downloads
from lab.services.endpoints import api_server, generic
from lab.services.faults import CATALOGUE, Faults
from lab.services.http import Front, HttpListener, Responder, bound_socket, client_of
from lab.services.log import RequestLog
from lab.services.names import PALETTE_HOSTS, Names, Site
from lab.services.packages import PackageIndex
from lab.services.palette import PaletteApi, PaletteState
from lab.services.palette.helpers import PaletteHelpers
from lab.services.proxy import ConnectProxy
from lab.services.registry import Registry
from lab.services.repository import Repository
from lab.services.tls import CertificateStore

if TYPE_CHECKING:
    from lab.aws.standin import AwsStandIn


class Services:
    """The stand-ins of one lab. Everything runs in the event loop that calls `start`.

    `palette` are the helpers behind the Palette API, `faults` the faults that are on.
    """

    def __init__(self, config: ServicesConfig) -> None:
        self.config = config
        self.names = Names(config.extra_names)
        self.faults = Faults(self._faults_changed)
        self.log = RequestLog(config.log_dir)
        self.state = PaletteState(config.palette_file)
        self.palette = PaletteHelpers(self.state, config.unhealthy_after)
        self.packages = PackageIndex(config.debs_dir, config.root / "packages", config.suite)
        self.authorities: Authorities | None = None
        self.registry = Registry(config.registry_dir, config.registry_password, self.faults)
        self._canvos = CanvosRepository(config.canvos_dir, self.faults)
        self._build_faults = BuildFaults(config.build_faults_dir, self.faults)
        self.aws = _aws(config, self.faults, self._cut_off)
        self._api = PaletteApi(config, self.state, self.faults, self.log)
        self._dns = DnsServer(
            config.services_ip, config.ports.dns, self.names, self.faults, self.log, self._dns_addresses
        )
        # A site without a way out of its own still has DNS for the cluster, which it reaches by VPN.
        self._site_dns = DnsServer(
            config.gateway_ip, config.ports.dns, self.names.private(), self.faults, self.log, self._dns_addresses
        )
        self._proxy = ConnectProxy(config, self.names, self.faults, self.log, self._proxy_target)
        self._listeners: list[HttpListener] = []
        self._enis: dict[str, HttpListener] = {}
        self._silent: dict[str, list[socket.socket]] = {}
        self._cut: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False

    @property
    def api_key(self) -> str:
        """Return the Palette API key that is valid now (the fault `key-rotate` changes it)."""
        return self._api.api_key

    async def start(self) -> None:
        """Start every stand-in. Raises LabError when an address is missing or a port is taken; then none is left."""
        try:
            self.authorities = ensure_ca(self.config.ca_dir)
            repository = Repository(self.packages, self.faults)
            await repository.start()
            await asyncio.to_thread(self._canvos.start)
            self._build_faults.settle()
            self._build_listeners(self.authorities, repository)
            for listener in [*self._listeners, *self._enis.values()]:
                await listener.start()
            await self._dns.start()
            if self.config.gateway_ip != self.config.services_ip:
                await self._site_dns.start()
            await self._proxy.start()
            self._seed_palette()
            if self.aws is not None:
                self.aws.start(self.authorities.cluster.pem)
            self._started = True
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything and write Palette's state, so that the next start goes on from it."""
        await self._proxy.stop()
        await self._dns.stop()
        await self._site_dns.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(listener.stop() for listener in [*self._listeners, *self._enis.values()]))
        self._listeners, self._enis = [], {}
        for address in list(self._silent):
            self._silence(address, False)
        if self.aws is not None:
            self.aws.stop()
        if self._started:
            self.state.save()
        self._started = False

    def status(self) -> dict[str, object]:
        """Return what runs, where, and which faults are on; no secrets."""
        listeners = [*self._listeners, *self._enis.values()]
        return {
            "running": self._started,
            "addresses": [f"{one.address}:{one.port}" for one in listeners if one.listening],
            "dns": f"{self._dns.address}:{self._dns.port}",
            "proxy": f"{self._proxy.address}:{self._proxy.port}",
            "faults": self.faults.listing(),
            "packages": self.packages.count,
            "registry": {name: sorted(tags) for name, tags in self.registry.repositories().items()},
            **({"aws": self.aws.status()} if self.aws else {}),
            "palette": {
                "projects": self.palette.projects(),
                "hosts": {
                    record["metadata"]["uid"]: record["status"].get("health", {}).get("state", "")
                    for record in self.palette.records()
                },
            },
        }

    def fault(self, name: str, host: str | None = None, on: bool = True) -> None:
        """Switch a fault of `faults.CATALOGUE` on or off; `host` is its target. Raises LabError."""
        if name == "endpoint-silent" and on and not self.config.silent_ip:
            raise LabError("the lab has no silent address", remedy="give the services a silent_ip.")
        is_client = name in CATALOGUE and CATALOGUE[name].target == "optional-client"
        self.faults.set(name, self.config.clients.get(host, host) if is_client and host else host, on)

    def account(self) -> AwsStandIn:
        """Return the stand-in of AWS. Raises LabError when the lab has none."""
        if self.aws is None:
            raise LabError("the lab has no AWS account", remedy="give the services the facts of one.")
        return self.aws

    def requests(self, service: str | None = None, since: float = 0.0) -> list[dict[str, object]]:
        """Return the requests to a service (to all with None) since a time in seconds since 1970."""
        return self.log.read(service, since)

    def _seed_palette(self) -> None:
        config = self.config
        self.state.ensure_projects(config.projects)
        value = config.registration_token
        if value and self.state.token_by_value(value) is None:
            project = self.state.project(config.token_project)
            self.state.add_token("edge-hosts lab", project=project.uid if project else "", value=value)

    def _build_listeners(self, authorities: Authorities, repository: Repository) -> None:
        config, downloads = self.config, Downloads(self.faults, self.log, self._canvos)
        sites: dict[Site, Responder] = {
            "palette": self._api.handle,
            "github": downloads.github,
            "assets": downloads.assets,
            "images": downloads.images,
            "packages": repository.handle,
            "registry": self.registry.handle,
            "apiserver": api_server,
            "generic": generic,
        }
        front = Front(sites, self.names, self.faults, self.log)
        plain = Front(sites, self.names, self.faults, self.log, secure=False)
        pairs = (
            (config.services_ip, authorities.public, "public"),
            (config.corporate_ip, authorities.corporate, "corporate"),
        )
        for address, authority, label in pairs:
            store = CertificateStore(
                authority, config.ca_dir / "served" / label, self.names, self.faults,
                own_names=PALETTE_HOSTS, own_addresses=(config.services_ip, config.corporate_ip),
            )  # fmt: skip
            self._listeners.append(HttpListener(address, config.ports.https, front.handle, store.context()))
            self._listeners.append(HttpListener(address, config.ports.http, plain.handle))
        if self.aws is not None:
            self._listeners.append(HttpListener(config.services_ip, config.ports.aws, self._answer_aws))
        api = Front(sites, self.names, self.faults, self.log, own="apiserver", only=True)
        for address in config.eni_ips:
            store = CertificateStore(
                authorities.cluster, config.ca_dir / "served" / address, self.names, self.faults,
                own_names=("kubernetes.default.svc",), own_addresses=(address,),
            )  # fmt: skip
            self._enis[address] = HttpListener(address, config.ports.https, api.handle, store.context())

    async def _answer_aws(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request to the AWS API; its log says the operation, and whether it reads or writes."""
        aws = self.account()
        response, operation = await aws.handle(request)
        self.log.write(
            "aws",
            method=request.method,
            path=operation,
            host=request.host,
            status=response.status,
            client=client_of(request, self.log),
            kind=aws.kind(operation),
        )
        return response

    def _dns_addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a name; a closed one leads to the gateway, where nothing listens on 443."""
        if self.faults.active("endpoint-closed", name):
            return (self.config.gateway_ip,)
        if self.faults.active("endpoint-silent", name) and self.config.silent_ip:
            return (self.config.silent_ip,)
        if self.names.is_cluster(name):
            return self.config.eni_ips
        return (
            (self.config.gateway_ip,)
            if name in ("proxy.lab.internal", "gateway.lab.internal")
            else (self.config.services_ip,)
        )

    def _proxy_target(self, host: str, port: int) -> tuple[str, int] | None:
        """Return where the proxy leads for a host, or None when it cannot resolve it."""
        ports = {443: self.config.ports.https, 80: self.config.ports.http}
        if port not in ports or self.faults.active("name-missing", host):
            return None
        if self.faults.active("endpoint-silent", host) and self.config.silent_ip:
            return self.config.silent_ip, ports[port]
        if host in self.config.eni_ips:
            return host, ports[port]
        if self.names.is_cluster(host):
            return self.config.eni_ips[0], ports[port]
        known = self.names.known(host) or host in (self.config.services_ip, self.config.corporate_ip)
        return (self.config.corporate_ip, ports[port]) if known else None

    def _cut_off(self, addresses: frozenset[str]) -> None:
        """Let the API server be silent on the interfaces that AWS lets nobody reach: packets are dropped, not refused."""
        # In the lab the addresses are the same; tests serve them on others, in the same order.
        told = self.account().facts.addresses
        pairs = zip(self.config.eni_ips, told, strict=False)
        self._cut = frozenset(address for address, one in pairs if one in addresses)
        self._settle_interfaces()

    def _faults_changed(self) -> None:
        """Bring the sockets in line with the faults that act on them."""
        self._settle_interfaces()
        self._build_faults.settle()
        if self.config.silent_ip:
            self._silence(self.config.silent_ip, bool(self.faults.targets("endpoint-silent")))
        if self.aws is not None:
            self.aws.faults_changed()

    def _settle_interfaces(self) -> None:
        """Let each interface of the control plane answer, refuse or be silent."""
        for address, listener in self._enis.items():
            closed, cut = self.faults.active("endpoint-closed", address), address in self._cut
            if closed or cut:
                listener.close()
                self._silence(address, cut and not closed)
                continue
            self._silence(address, False)
            if not listener.listening:
                listener.open()
                task = asyncio.get_running_loop().create_task(_answer(listener))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _silence(self, address: str, on: bool) -> None:
        """Open or close a port that never answers: its queue is full, so the kernel drops what comes."""
        if not on:
            for sock in self._silent.pop(address, []):
                sock.close()
        elif address not in self._silent:
            port = self.config.ports.https
            listening = bound_socket(address, port)
            listening.listen(0)
            self._silent[address] = [listening]
            for _ in range(2):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex((address, port))
                self._silent[address].append(filler)


def _aws(config: ServicesConfig, faults: Faults, cut: Callable[[frozenset[str]], None]) -> AwsStandIn | None:
    """Return the stand-in of AWS, if the lab has one."""
    if config.aws is None:
        return None
    from lab.aws.standin import AwsStandIn  # it needs this package's faults

    return AwsStandIn(config.aws, faults, cut)


async def _answer(listener: HttpListener) -> None:
    """Answer on a port that was opened again, unless it has been closed meanwhile."""
    if listener.listening:
        await listener.start()
