"""Certificates: three ways to write one, and what is no certificate of an authority."""

from __future__ import annotations

from pathlib import Path

import pytest
from settings_helpers import SITE, authority, load, private_key_pem, put, refused, site

from edge.settings import from_config
from edge.settings.certificates import certificates


@pytest.mark.row("A16")
def test_a_certificate_in_all_three_ways(tmp_path: Path) -> None:
    text, filed, plain = authority("text"), authority("file"), authority("config")
    (tmp_path / "ca.pem").write_text(filed)
    raw = site(caCerts=[text, {"file": "ca.pem"}, {"config": "corporateCa"}])
    host = load(tmp_path, raw, **{"edge-hosts__corporateCa": plain}).host_view("plant-a")
    assert host.ca_certs == (text, filed, plain)


def test_a_bundle_counts_as_its_certificates(tmp_path: Path) -> None:
    one, other = authority("one"), authority("other")
    raw = site(caCerts=[f"# corporate\n{one}\n\n{other}"])
    assert load(tmp_path, raw).host_view("plant-a").ca_certs == (one, other)


def test_formatting_is_no_difference(tmp_path: Path) -> None:
    pem = authority()
    spaced = "\r\n".join(f"  {line} " for line in pem.splitlines())
    assert load(tmp_path, site(caCerts=[spaced])).site.ca_certs == load(tmp_path, site(caCerts=[pem])).site.ca_certs
    assert certificates(spaced) == (pem,)


def test_a_host_has_its_own_instead_of_the_sites(tmp_path: Path) -> None:
    raw = site(
        put("hosts.plant-a.caCerts", [authority("mine")]), put("hosts.plant-b.caCerts", []), caCerts=[authority("all")]
    )
    settings = load(tmp_path, raw)
    assert [len(host.ca_certs) for host in settings.host_views()] == [1, 0]
    assert settings.host_view("plant-a").ca_certs != certificates(settings.site.ca_certs[0])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no certificate", "holds no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ({"file": "missing.pem"}, "does not exist"),
        ({"file": "."}, "cannot be read"),
        ({"file": 3}, "the number 3"),
        ({"config": "nothing"}, "which the stack does not have"),
        ({"config": "a b"}, "names no config key"),
        ({"secret": "ca"}, "is no certificate"),
        (17, "the number 17"),
    ],
)
def test_what_is_no_certificate_is_refused(tmp_path: Path, value: object, problem: str) -> None:
    findings = refused(tmp_path, site(caCerts=[value]))
    assert list(findings) == ["site.caCerts[0]"]
    assert problem in findings["site.caCerts[0]"].problem
    assert findings["site.caCerts[0]"].remedy


def test_a_server_certificate_is_not_an_authority(tmp_path: Path) -> None:
    findings = refused(tmp_path, site(caCerts=[authority(ca=False)]))
    assert "CA:TRUE" in findings["site.caCerts[0]"].remedy


def test_a_private_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    key = private_key_pem()
    findings = refused(tmp_path, site(put("palette.caCert", authority() + key)))
    assert "private key" in findings["site.palette.caCert"].problem
    assert key.splitlines()[1] not in str(findings)


def test_the_program_reads_them_beside_the_stack_file(tmp_path: Path) -> None:
    pem = authority()
    load(tmp_path, SITE)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "ca.pem").write_text(pem)
    settings = from_config(
        "plant-dev",
        "edge-hosts",
        site(caCerts=[{"file": "ca.pem"}, {"config": "own"}]),
        "r-1",
        {"region": "eu-central-1"},
        site_is_secret=False,
        root=tmp_path,
        files=tmp_path / "elsewhere",
        plain={"own": pem}.get,
    )
    assert settings.site.ca_certs == (pem, pem)
