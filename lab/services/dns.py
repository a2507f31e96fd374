"""The lab's DNS server: every documented name resolves to the lab, nothing else resolves.

Cluster endpoints resolve to the addresses of the cluster's network interfaces, as in a private cluster. An answer for
AAAA is empty and no error, because the lab has no IPv6.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

from dnslib import NS, QTYPE, RCODE, RR, SOA, A, DNSError, DNSHeader, DNSRecord

from lab.services.faults import Faults
from lab.services.http import bound_socket
from lab.services.log import RequestLog
from lab.services.names import Names, normal

_TTL = 5
_MAX_UDP = 1232


class DnsServer:
    """Answers DNS questions over UDP and TCP on one address.

    `addresses` maps a known name to its addresses, so that faults can send a name elsewhere.
    """

    def __init__(
        self, address: str, port: int, names: Names, faults: Faults, log: RequestLog,
        addresses: Callable[[str], tuple[str, ...]],
    ) -> None:  # fmt: skip
        self.address = address
        self.port = port
        self._names = names
        self._faults = faults
        self._log = log
        self._addresses = addresses
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on UDP and TCP. Raises LabError when the port is taken."""
        loop = asyncio.get_running_loop()
        tcp = bound_socket(self.address, self.port)
        self.port = int(tcp.getsockname()[1])
        udp = bound_socket(self.address, self.port, socket.SOCK_DGRAM)
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self.answer), sock=udp)
        self._tcp = await asyncio.start_server(self._stream, sock=tcp)

    async def stop(self) -> None:
        """Stop listening."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        self._udp = self._tcp = None

    def answer(self, packet: bytes, client: str, limit: int = 65535) -> bytes | None:
        """Return the answer to a DNS message, or None for silence; over `limit` bytes it is cut and marked so."""
        if self._faults.active("dns-down"):
            return None
        try:
            query = DNSRecord.parse(packet)
        except (DNSError, ValueError, IndexError, struct.error):
            return None
        reply = DNSRecord(DNSHeader(id=query.header.id, qr=1, aa=1, ra=1, rd=query.header.rd), q=query.q)
        name = normal(str(query.q.qname))
        self._fill(reply, query, name)
        kind = QTYPE.get(query.q.qtype, str(query.q.qtype))
        status = RCODE.get(reply.header.rcode, str(reply.header.rcode))
        self._log.write("dns", method=str(kind), path=name, host=name, status=str(status), client=client)
        packed = bytes(reply.pack())
        return packed if len(packed) <= limit else bytes(reply.truncate().pack())

    def _fill(self, reply: DNSRecord, query: DNSRecord, name: str) -> None:
        known = self._names.known(name) and not self._faults.active("name-missing", name)
        if not known and not self._faults.active("dns-wildcard"):
            reply.header.rcode = RCODE.NXDOMAIN
            reply.add_auth(RR("lab.internal", QTYPE.SOA, rdata=SOA("ns.lab.internal", "lab.internal"), ttl=_TTL))
        elif query.q.qtype in (QTYPE.A, QTYPE.ANY):
            for address in self._addresses(name):
                reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A(address), ttl=_TTL))
        elif query.q.qtype == QTYPE.NS:
            reply.add_answer(RR(query.q.qname, QTYPE.NS, rdata=NS("ns.lab.internal"), ttl=_TTL))

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = str(writer.get_extra_info("peername")[0])
        try:
            while True:
                (length,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 5))
                packet = await asyncio.wait_for(reader.readexactly(length), 5)
                answer = self.answer(packet, client)
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP side: one datagram, one answer."""

    def __init__(self, answer: Callable[[bytes, str, int], bytes | None]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data, addr[0], _MAX_UDP)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
