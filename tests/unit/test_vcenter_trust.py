"""Trust: own authority, pinned certificate, or neither; the bundle for the engine; one sentence for each kind of refusal."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EdgeError
from edge.settings import StackSettings
from edge.settings.vsphere import Vcenter
from edge.vcenter import trust
from edge.vcenter.certificate import fits, shown_by
from edge.vcenter.errors import TrustError, VcenterError
from edge.vcenter.session import session
from tests.unit.settings_helpers import put
from tests.unit.vcenter_samples import settings_of
from tests.unit.vcenter_server import PASSWORD, USER, Signed, serving, sha256, signed

HERE = "127.0.0.1"


def refusal(server: str, **more: Any) -> EdgeError:
    """Return why a login to a server is refused."""
    with pytest.raises(EdgeError) as caught, session(Vcenter(server=server, user=USER, **more), PASSWORD):
        pass
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_a_self_signed_certificate_without_a_pin_shows_what_to_compare_and_write(tmp_path: Path) -> None:
    own = signed(HERE)
    with serving(tmp_path, own) as server:
        error = refusal(server)
    assert isinstance(error, TrustError)
    assert error.message == f"its certificate is signed by itself; its SHA-256 is {sha256(own)}."
    assert f'thumbprint: "{sha256(own)}"' in error.remedy
    assert "rui.crt" in error.remedy


def test_an_unknown_authority_and_a_wrong_one(tmp_path: Path) -> None:
    authority, other = signed(ca=True), signed(ca=True)
    leaf = signed(HERE, by=authority)
    with serving(tmp_path, leaf) as server:
        assert "comes from an authority that is not known here" in refusal(server).message
        assert "does not come from the authority in `caCert`" in refusal(server, caCert=other.certificate).message
        with session(Vcenter(server=server, user=USER, caCert=authority.certificate), PASSWORD) as live:
            assert live.about == "VMware vCenter Server 8.0.2 build-1"


@pytest.mark.parametrize("authority", [True, False])
def test_a_pinned_certificate_is_enough_whoever_signed_it(tmp_path: Path, authority: bool) -> None:
    own = signed(HERE, by=signed(ca=True) if authority else None)
    with serving(tmp_path, own) as server:
        with session(Vcenter(server=server, user=USER, thumbprint=sha256(own)), PASSWORD) as live:
            assert live.about
        error = refusal(server, thumbprint="ab" * 32)
    assert f"SHA-256 seen {sha256(own)}, expected AB:AB:" in error.message


def test_an_expired_certificate_even_when_it_is_pinned(tmp_path: Path) -> None:
    old = signed(HERE, ends=-dt.timedelta(days=2))
    with serving(tmp_path, old) as server:
        assert "expired on" in refusal(server).message
        assert "expired on" in refusal(server, thumbprint=sha256(old)).message


def test_a_certificate_for_another_name_even_when_it_is_pinned(tmp_path: Path) -> None:
    """The provider compares names too, and has no setting against it."""
    other = signed("vcsa.example.com")
    with serving(tmp_path, other) as server:
        for more in ({}, {"thumbprint": sha256(other)}):
            error = refusal(server, **more)
            assert "is not for 127.0.0.1, but for vcsa.example.com" in error.message
            assert "server: vcsa.example.com" in error.remedy


def test_servers_that_are_not_there(tmp_path: Path) -> None:
    with serving(tmp_path, signed(HERE)) as server:
        pass
    assert "nothing listens" in refusal(server).message
    assert "not known here" in refusal("vcenter.invalid").message
    error = refusal("vcenter.invalid", thumbprint="ab" * 32)
    assert isinstance(error, VcenterError)


@pytest.mark.parametrize(
    ("name", "names", "fit"),
    [
        ("a.example.com", ("a.example.com",), True),
        ("A.example.com.", ("a.EXAMPLE.com",), True),
        ("a.example.com", ("*.example.com",), True),
        ("a.b.example.com", ("*.example.com",), False),
        ("10.0.0.1", ("*.0.0.1",), False),
        ("10.0.0.1", ("10.0.0.1",), True),
        ("a", (), False),
    ],
)
def test_names_of_certificates(name: str, names: tuple[str, ...], fit: bool) -> None:
    assert fits(name, names) is fit


def site_of(tmp_path: Path, server: str, **more: str) -> StackSettings:
    """Return a site whose vCenter is trusted in some way."""
    return settings_of(
        tmp_path, *(put(f"vcenters.main.{key}", value) for key, value in {"server": server, **more}.items())
    )


def test_the_bundle_holds_the_systems_authorities_and_what_the_settings_name(tmp_path: Path) -> None:
    system, authority, own = signed(ca=True), signed(ca=True), signed(HERE)
    roots = tmp_path / "system.pem"
    roots.write_text(system.certificate)
    environ = {"SSL_CERT_FILE": str(roots)}
    with serving(tmp_path, own) as server:
        settings = site_of(tmp_path, server, thumbprint=sha256(own))
        path = trust.bundle_for(settings, environ=environ)
        assert path == tmp_path / ".edge" / "trust" / "plant-dev.pem"
        text = path.read_text()
        assert [text.count(one.certificate.strip()) for one in (system, own)] == [1, 1]
        again = trust.bundle_for(settings, environ={"SSL_CERT_FILE": str(path)})
        assert again is not None
        assert again.read_text().count(own.certificate.strip()) == 1, "our own bundle is not taken for the system's"
        assert trust.check_environment(settings, {"SSL_CERT_FILE": str(path)}) is None
        context = ssl.create_default_context(cafile=str(path))
        assert context.cert_store_stats()["x509"] >= 2
        with pytest.raises(TrustError, match="seen"):
            trust.bundle_for(site_of(tmp_path, server, thumbprint="cd" * 32), environ=environ)
    signer = trust.bundle_for(site_of(tmp_path, "vcenter.invalid", caCert=authority.certificate), environ=environ)
    assert signer is not None
    assert signer.read_text() == system.certificate + authority.certificate


def test_a_site_with_a_public_certificate_needs_no_bundle(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert trust.bundle_for(settings) is None
    assert trust.check_environment(settings, {}) is None
    assert not (tmp_path / ".edge").exists()


def test_the_environment_of_a_run_is_checked_without_a_network(tmp_path: Path) -> None:
    authority, other = signed(ca=True), signed(ca=True)
    settings = site_of(tmp_path, "vcenter.invalid", caCert=authority.certificate)
    finding = trust.check_environment(settings, {})
    assert finding is not None
    assert "edgectl env plant-dev" in str(finding)
    wrong = tmp_path / "other.pem"
    wrong.write_text(other.certificate)
    finding = trust.check_environment(settings, {"SSL_CERT_FILE": str(wrong)})
    assert finding is not None
    assert "without the certificate of vCenter main (vcenter.invalid)" in finding.problem
    missing = trust.check_environment(settings, {"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    assert missing is not None
    assert "cannot be read" in missing.problem
    wrong.write_text(other.certificate + authority.certificate)
    assert trust.check_environment(settings, {"SSL_CERT_FILE": str(wrong)}) is None
    pinned = site_of(tmp_path, "vcenter.invalid", thumbprint=sha256(other))
    assert trust.check_environment(pinned, {"SSL_CERT_FILE": str(wrong)}) is None
    assert trust.check_environment(pinned, {"SSL_CERT_FILE": str(_file(tmp_path, authority))}) is not None


def _file(folder: Path, one: Signed) -> Path:
    path = folder / "one.pem"
    path.write_text(one.certificate + "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n")
    return path


def test_a_silent_server_ends_in_time(tmp_path: Path) -> None:
    import socket

    with socket.create_server((HERE, 0)) as deaf:
        port = deaf.getsockname()[1]
        with pytest.raises(VcenterError, match="did not answer within 0 s"):
            shown_by(HERE, port, 0.3)
