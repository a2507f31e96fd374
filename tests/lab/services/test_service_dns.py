"""The DNS server, asked over UDP and TCP."""

from __future__ import annotations

import pytest
from dnslib import RCODE, DNSRecord
from service_stand import CLUSTER, PORTS, Stand


def ask(stand: Stand, name: str, kind: str = "A", *, tcp: bool = False) -> DNSRecord:
    """Ask the lab's server."""
    query = DNSRecord.question(name, kind)
    return DNSRecord.parse(query.send(stand.config.services_ip, PORTS.dns, tcp=tcp, timeout=2))


def addresses(reply: DNSRecord) -> list[str]:
    """Return the addresses of an answer."""
    return [str(record.rdata) for record in reply.rr]


@pytest.mark.row("A5", "A6")
@pytest.mark.parametrize("tcp", [False, True])
def test_known_names_lead_to_the_services(stand: Stand, tcp: bool) -> None:
    """An endpoint resolves to the lab, over UDP and TCP."""
    reply = ask(stand, "eks.eu-central-1.amazonaws.com", tcp=tcp)
    assert addresses(reply) == [stand.config.services_ip]


@pytest.mark.row("A6")
def test_the_cluster_leads_to_its_interfaces(stand: Stand) -> None:
    """A private cluster endpoint resolves to every network interface."""
    assert addresses(ask(stand, CLUSTER)) == list(stand.config.eni_ips)


def test_no_ipv6_is_no_error(stand: Stand) -> None:
    """AAAA has an empty answer, so that a resolver does not give up."""
    reply = ask(stand, "github.com", "AAAA")
    assert reply.header.rcode == RCODE.NOERROR
    assert reply.rr == []


def test_nonsense_is_nxdomain(stand: Stand) -> None:
    """Nonsense does not resolve, unless the wildcard fault is on."""
    assert ask(stand, "nonsense.example").header.rcode == RCODE.NXDOMAIN
    stand.fault("dns-wildcard")
    assert addresses(ask(stand, "nonsense.example")) == [stand.config.services_ip]


def test_a_missing_name(stand: Stand) -> None:
    """One name can go missing while the others stay."""
    stand.fault("name-missing", "github.com")
    assert ask(stand, "github.com").header.rcode == RCODE.NXDOMAIN
    assert addresses(ask(stand, "us-docker.pkg.dev"))


def test_a_server_that_is_down(stand: Stand) -> None:
    """A server that is down does not answer."""
    stand.fault("dns-down")
    with pytest.raises(TimeoutError):
        DNSRecord.question("github.com").send(stand.config.services_ip, PORTS.dns, timeout=0.3)


def test_rubbish_does_not_hurt(stand: Stand) -> None:
    """A packet that is no DNS message is not answered, and the server goes on."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"\x00\x01rubbish", (stand.config.services_ip, PORTS.dns))
    assert addresses(ask(stand, "github.com"))


def test_questions_are_logged(stand: Stand) -> None:
    """The log says who asked what."""
    ask(stand, "quay.io")
    entry = stand.services.requests("dns")[-1]
    assert (entry["path"], entry["method"], entry["status"]) == ("quay.io", "A", "NOERROR")
