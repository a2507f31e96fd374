"""The stand-ins on loopback addresses and high ports, in a thread of their own: no root, no network."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from agent_host import AgentHost, MakeHost
from aws_stand import FACTS, Aws
from service_stand import API_KEY, PORTS, REGISTRY_PASSWORD, TOKEN, Stand, make_deb

from lab.services import Ports, Services, ServicesConfig


@pytest.fixture(scope="session")
def stand_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Start the stand-ins once for all tests of this folder."""
    root = tmp_path_factory.mktemp("lab")
    debs = root / "debs"
    debs.mkdir()
    make_deb(debs, "hello", "1:2.3+lab~1")
    block = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}"
    config = ServicesConfig(
        root=root, services_ip=f"{block}.1", corporate_ip=f"{block}.2", gateway_ip=f"{block}.3", silent_ip=f"{block}.4",
        eni_ips=(f"{block}.11", f"{block}.12"), region="eu-central-1", suite="bookworm", debs_dir=debs,
        proxy_user="site", proxy_password="p@ss", api_key=API_KEY, ports=PORTS, registration_token=TOKEN,
        unhealthy_after=2.0, clients={"machine": "127.0.0.1"}, palette_rate=1000, palette_burst=1000,
        registry_password=REGISTRY_PASSWORD,
    )  # fmt: skip
    with _served(config) as (services, loop):
        yield Stand(services, loop)


@contextmanager
def _served(config: ServicesConfig) -> Iterator[tuple[Services, asyncio.AbstractEventLoop]]:
    """Run stand-ins in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def make() -> Services:
        services = Services(config)
        await services.start()
        return services

    services = asyncio.run_coroutine_threadsafe(make(), loop).result(30)
    yield services, loop
    asyncio.run_coroutine_threadsafe(services.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="session")
def aws_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Start stand-ins with an AWS account once; moto takes its time to load."""
    root = tmp_path_factory.mktemp("aws")
    block = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}"
    ports = Ports(dns=15453, http=18180, https=18543, proxy=13228, aws=14566)
    config = ServicesConfig(
        root=root, services_ip=f"{block}.21", corporate_ip=f"{block}.22", gateway_ip=f"{block}.23",
        eni_ips=(f"{block}.31", f"{block}.43"), region="eu-central-1", suite="bookworm", debs_dir=root, proxy_user="site",
        proxy_password="p@ss", api_key=API_KEY, ports=ports, aws=FACTS,
    )  # fmt: skip
    with _served(config) as (services, loop):
        assert services.aws is not None
        asyncio.run_coroutine_threadsafe(services.aws.ready(), loop).result(60)
        yield Aws(services, loop, f"http://{config.services_ip}:{ports.aws}")


@pytest.fixture
def aws(aws_session: Aws) -> Iterator[Aws]:
    """Hand out the account, as new and without faults."""
    yield aws_session
    aws_session.as_new()


@pytest.fixture
def stand(stand_session: Stand) -> Iterator[Stand]:
    """Hand out the stand-ins, without faults and without hosts before and after each test."""
    yield stand_session
    stand_session.call(stand_session.services.faults.clear)
    for record in stand_session.services.palette.records():
        uid = record["metadata"]["uid"]
        stand_session.call(lambda uid=uid: stand_session.services.palette.delete_record(uid))


@pytest.fixture
def make_host(stand: Stand, tmp_path: Path) -> Iterator[MakeHost]:
    """Make hosts; their agents are stopped after the test."""
    made: list[AgentHost] = []

    def make(name: str = "edge-1", *, proxied: bool = False) -> AgentHost:
        host = AgentHost(tmp_path / f"host{len(made)}", stand, name, proxied=proxied)
        made.append(host)
        return host

    yield make
    for host in made:
        host.stop_agent()


@pytest.fixture
def host(make_host: MakeHost) -> AgentHost:
    """Make one host."""
    return make_host()
