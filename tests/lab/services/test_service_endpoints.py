"""TLS endpoints, the API server and their faults."""

from __future__ import annotations

import datetime
import ssl
from email.utils import parsedate_to_datetime

import httpx
import pytest
from service_stand import CLUSTER, PORTS, Stand, connects


@pytest.mark.row("A5", "A6")
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("eks.eu-central-1.amazonaws.com", 403),
        ("hybrid-assets.eks.amazonaws.com", 403),
        ("602401143452.dkr.ecr.eu-central-1.amazonaws.com", 401),
        ("registry.spectrocloud.com", 200),
        ("us-docker.pkg.dev", 404),
    ],
)
def test_each_name_has_its_certificate(stand: Stand, name: str, status: int) -> None:
    """A name answers with a certificate of its own by the public authority."""
    assert stand.get(name).status_code == status


def test_the_corporate_side_needs_the_corporate_authority(stand: Stand) -> None:
    """The same services behind the proxy are signed by another authority."""
    place = stand.config.corporate_ip
    assert stand.get("github.com", address=place, authority="corporate").status_code == 404
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        stand.get("github.com", address=place)


@pytest.mark.row("A6")
@pytest.mark.parametrize("name", [CLUSTER, ""])
def test_the_api_server_answers_401(stand: Stand, name: str) -> None:
    """An interface answers by name and by address with the cluster's certificate, 401 and a Status object."""
    answer = stand.get(name, "/version", address=stand.config.eni_ips[1], authority="cluster")
    assert answer.status_code == 401
    assert answer.json()["kind"] == "Status"


def test_the_date_is_right_unless_it_is_wrong(stand: Stand) -> None:
    """The Date header is now; the fault puts one name ahead."""

    def skew(name: str) -> float:
        date = parsedate_to_datetime(stand.get(name).headers["Date"])
        return (date - datetime.datetime.now(datetime.UTC)).total_seconds()

    assert abs(skew("sts.eu-central-1.amazonaws.com")) < 3
    stand.fault("wrong-date", "sts.eu-central-1.amazonaws.com")
    assert 890 < skew("sts.eu-central-1.amazonaws.com") < 910
    assert abs(skew("ssm.eu-central-1.amazonaws.com")) < 3


def test_a_closed_endpoint(stand: Stand) -> None:
    """A closed name leads to a port where nobody listens; who holds the old address gets no handshake."""
    stand.fault("endpoint-closed", "ssm.eu-central-1.amazonaws.com")
    found = stand.services._dns_addresses("ssm.eu-central-1.amazonaws.com")
    assert connects(found[0], PORTS.https) == "refused"
    with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
        stand.get("ssm.eu-central-1.amazonaws.com")
    assert stand.get("ssmmessages.eu-central-1.amazonaws.com").status_code == 403


def test_a_closed_interface_opens_again(stand: Stand) -> None:
    """The fault on an address closes its socket; without it the socket is open again."""
    address = stand.config.eni_ips[0]
    stand.fault("endpoint-closed", address)
    assert connects(address, PORTS.https) == "refused"
    assert connects(stand.config.eni_ips[1], PORTS.https) == "open"
    stand.fault("endpoint-closed", address, on=False)
    assert stand.get("", address=address, authority="cluster").status_code == 401


def test_a_silent_endpoint(stand: Stand) -> None:
    """A silent name leads to a port that never answers."""
    stand.fault("endpoint-silent", "ssm.eu-central-1.amazonaws.com")
    (address,) = stand.services._dns_addresses("ssm.eu-central-1.amazonaws.com")
    assert connects(address, PORTS.https, 0.5) == "silent"
    stand.fault("endpoint-silent", on=False)
    assert connects(address, PORTS.https) == "refused"


@pytest.mark.parametrize(
    ("fault", "words"), [("tls-bad", "self-signed certificate in certificate chain"), ("tls-expired", "expired")]
)
def test_bad_certificates(stand: Stand, fault: str, words: str) -> None:
    """A certificate can be by an unknown authority, or expired; a good one comes back after the fault."""
    stand.fault(fault, "quay.io")
    with pytest.raises(httpx.ConnectError, match=words):
        stand.get("quay.io")
    stand.fault(fault, "quay.io", on=False)
    assert stand.get("quay.io").status_code == 401


def test_an_unknown_name_has_no_certificate(stand: Stand) -> None:
    """Nobody signs for a name that does not exist."""
    with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
        stand.get("nonsense.example")


def test_plain_http_leads_to_https(stand: Stand) -> None:
    """Port 80 redirects everything but the packages."""
    place = f"http://{stand.config.services_ip}:{PORTS.http}/x"
    answer = httpx.get(place, headers={"Host": "github.com"}, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://github.com/x")


def test_contexts_are_modern(stand: Stand) -> None:
    """No handshake below TLS 1.2."""
    context = stand.trust()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    url = f"https://{stand.config.services_ip}:{PORTS.https}/v1/none"
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(url).status_code == 404
