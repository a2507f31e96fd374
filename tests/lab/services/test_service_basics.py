"""Authorities, faults, names and logs: the parts that need no server."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from edge.endpoints import EndpointQuery, endpoint_table
from edge.endpoints.partitions import partition_of
from edge.errors import LabError
from edge.network import NetworkFacts
from lab.services.ca import ensure_ca
from lab.services.faults import CATALOGUE, Faults
from lab.services.log import RequestLog
from lab.services.names import Names

KNOWN = [
    "hybrid-assets.eks.amazonaws.com", "eks.eu-central-1.amazonaws.com", "api.ecr.eu-central-1.amazonaws.com",
    "602401143452.dkr.ecr.eu-central-1.amazonaws.com", "prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com",
    "amazon-ssm-us-west-2.s3.us-west-2.amazonaws.com", "ssm.eu-central-1.amazonaws.com", "rolesanywhere.amazonaws.com",
    "eks-auth.eu-central-1.api.aws", "api.spectrocloud.com", "registry2.spectrocloud.com", "github.com",
    "objects.githubusercontent.com", "us-docker.pkg.dev", "palette.lab.internal", "packages.lab.internal",
    "api.snapcraft.io", "cdn.redhat.com", "archive.ubuntu.com", "public.ecr.aws", "EKS.eu-central-1.amazonaws.com.",
]  # fmt: skip
UNKNOWN = [
    "nonsense.invalid", "nonsense.amazonaws.com", "x.eks.eu-central-1.amazonaws.com", "doesnotexist.spectrocloud.com",
    "example.com", "lab.internal", "nothing.lab.internal", "eks.nowhere.amazonaws.com", "nonsense.api.aws", "",
]  # fmt: skip


def test_authorities_are_made_once(tmp_path: Path) -> None:
    """A second call finds the same authorities; private keys are for their owner only."""
    first, second = ensure_ca(tmp_path / "ca"), ensure_ca(tmp_path / "ca")
    assert first.public.pem == second.public.pem
    assert len({first.public.pem, first.corporate.pem, first.cluster.pem}) == 3
    for key in (tmp_path / "ca").glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_lost_key_makes_a_new_authority(tmp_path: Path) -> None:
    """Half of an authority is none."""
    first = ensure_ca(tmp_path)
    (tmp_path / "public.key").unlink()
    assert ensure_ca(tmp_path).public.pem != first.public.pem


@pytest.mark.parametrize("expired", [False, True])
def test_certificates_verify(tmp_path: Path, expired: bool) -> None:
    """OpenSSL accepts a certificate of the authority for its name, and refuses an expired one."""
    authority = ensure_ca(tmp_path).public
    (tmp_path / "leaf.pem").write_bytes(authority.issue(["a.example"], ["10.0.0.1"], expired=expired))
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-verify_hostname", "a.example",
         "-CAfile", tmp_path / "public.pem", tmp_path / "leaf.pem"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is not expired, done.stderr
    assert ("expired" in done.stderr) is expired


@pytest.mark.parametrize("name", KNOWN)
def test_documented_names_exist(name: str) -> None:
    """Every documented name resolves in the lab."""
    assert Names().known(name)


@pytest.mark.parametrize("name", UNKNOWN)
def test_nonsense_does_not_exist(name: str) -> None:
    """Nonsense below a well-known zone is still nonsense."""
    assert not Names().known(name)


@pytest.mark.row("A6")
@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
@pytest.mark.parametrize("provider", ["ssm", "iamRolesAnywhere"])
def test_the_whole_endpoint_table_exists(region: str, provider: str) -> None:
    """Whatever the program's endpoint table asks a host to reach has a name in the lab."""
    partition = partition_of(region)
    facts = NetworkFacts.from_dict(
        {
            **dict.fromkeys(("vpc_cidrs", "eni_subnets", "security_groups", "remote_pod_cidrs", "inbound_resolvers"), ()),
            "region": region, "partition": partition.id, "cluster_name": "lab", "cluster_ca": "", "auth_mode": "API",
            "cluster_endpoint": f"https://D87D.gr7.{region}.eks.{partition.dns_suffix}", "endpoint_mode": "private",
            "eni_addresses": ("10.0.0.1",), "service_cidr": "172.20.0.0/16", "remote_node_cidrs": ("10.1.0.0/16",),
            "credential_provider": provider, "private_path": False, "kubernetes_version": "1.31",
        }
    )  # fmt: skip
    names, wanted = Names(), set()
    for fips in (False, True):
        for endpoint in ("api.spectrocloud.com", "palette.lab.internal"):
            query = EndpointQuery(facts, palette_endpoint=endpoint, dedicated="lab" in endpoint, fips=fips)
            rows = endpoint_table(query)
            wanted |= {row.host for row in rows if row.direction == "out" and row.probe != "none"}
    assert len(wanted) > 20
    assert not {host for host in wanted if not host.replace(".", "").isdigit() and not names.known(host)}


def test_extra_names() -> None:
    """A lab can add exact names."""
    assert Names(("registry.plant.example",)).known("Registry.Plant.example")


@pytest.mark.parametrize(
    ("name", "target"),
    [("no-such-fault", None), ("name-missing", None), ("dns-down", "x"), ("palette-429", "many")],
)
def test_faults_refuse_what_would_do_nothing(name: str, target: str | None) -> None:
    """A misspelt fault is an error with a remedy."""
    with pytest.raises(LabError, match="Remedy"):
        Faults().set(name, target)


def test_faults_have_targets() -> None:
    """A fault of one name is off for the others, and goes with or without its target."""
    faults = Faults()
    faults.set("name-missing", "A.example.")
    assert faults.active("name-missing", "a.example")
    assert not faults.active("name-missing", "b.example")
    faults.set("name-missing", None, on=False)
    assert not faults.active("name-missing", "a.example")
    faults.set("never-healthy")
    assert faults.active("never-healthy", "any")


def test_counted_faults_end() -> None:
    """A fault with a number hits so many requests."""
    faults = Faults()
    faults.set("palette-429", "2")
    assert [faults.take("palette-429") for _ in range(3)] == [True, True, False]
    faults.set("palette-429")
    assert all(faults.take("palette-429") for _ in range(100))
    assert faults.listing() == [{"name": "palette-429", "target": None, "left": None}]


def test_every_fault_says_what_it_does() -> None:
    """The catalogue is what a person reads."""
    assert all(fault.effect and fault.name == name for name, fault in CATALOGUE.items())


def test_log_counts_by_service_and_time(tmp_path: Path) -> None:
    """The log survives a restart and is cut by time."""
    log = RequestLog(tmp_path)
    for number in range(3):
        log.write("palette", method="GET", path=f"/{number}", host="h", status=200, client="c", kind="read")
    log.write("dns", method="A", path="x", host="x", status="NOERROR", client="c")
    again = RequestLog(tmp_path)
    entries = again.read("palette")
    assert [entry["path"] for entry in entries] == ["/0", "/1", "/2"]
    assert len(again.read()) == 4
    assert again.read("palette", since=float(str(entries[-1]["time"])) + 1) == []
