"""
The PROXY protocol's header, versions 1 and 2: what a load balancer says of a client, before
the client's own first byte (haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2).

Pure: it does no I/O, and no bytes make it raise anything but L{ValueError}. Bytes that are not
there yet never change what was found in those that are.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

IP = IPv4Address | IPv6Address

_V1 = b"PROXY "
# "If the CRLF sequence is not found in the first 107 characters, the receiver should declare the
# line invalid" (2.1).
_V1_SIZE = 107
_V1_KINDS: dict[bytes, type[IPv4Address] | type[IPv6Address]] = {
    b"TCP4": IPv4Address,
    b"TCP6": IPv6Address,
}

_V2 = b"\r\n\r\n\0\r\nQUIT\n"
# Behind the signature: version and command, family and protocol, bytes that follow (2.2).
_V2_START = struct.Struct("!BBH")
_V2_SIZE = len(_V2) + _V2_START.size
_LOCAL, _PROXY = 0x20, 0x21
_FAMILIES, _PROTOCOLS = 4, 3
# The families and protocols that are TCP: the addresses of both ends, then their ports.
_TCP: dict[int, tuple[type[IPv4Address] | type[IPv6Address], struct.Struct]] = {
    0x11: (IPv4Address, struct.Struct("!4s4sHH")),
    0x21: (IPv6Address, struct.Struct("!16s16sHH")),
}


@dataclass(frozen=True, slots=True)
class Header:
    """
    @ivar source: the client's address and port. None where the header tells none: the balancer
        connects for itself, or doesn't know, or the client has no IP address. The connection
        is then the balancer's own.
    @ivar size: the bytes of the header; the client's begin behind it.
    """

    source: tuple[IP, int] | None
    size: int


def parse(data: bytes, limit: int) -> Header | None:
    """
    The header at the beginning of ``data``, or None when there is more to come of it.

    @param limit: how many bytes a header of version 2 may have.
    @raise ValueError: when no header begins like that, with the reason in words.
    """
    if data.startswith(_V1):
        return _parseV1(data)
    if data.startswith(_V2):
        return _parseV2(data, limit)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    raise ValueError("it doesn't begin with a PROXY header")


def _parseV1(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, _V1_SIZE)
    if end < 0:
        if len(data) >= _V1_SIZE:
            raise ValueError(f"a PROXY header of version 1 ends within {_V1_SIZE} bytes")
        return None
    kind, _, rest = data[len(_V1) : end].partition(b" ")
    if kind == b"UNKNOWN":
        return Header(None, end + 2)
    ofKind = _V1_KINDS.get(kind)
    fields = rest.split(b" ")
    if ofKind is None or len(fields) != 4:
        raise ValueError("a PROXY header of version 1 that is not as it should be")
    source, destination, port, destinationPort = fields
    _ip(destination, ofKind)
    _port(destinationPort)
    return Header((_ip(source, ofKind), _port(port)), end + 2)


def _ip(text: bytes, ofKind: type[IPv4Address] | type[IPv6Address]) -> IP:
    # An interface behind a "%" is no part of an address that came from elsewhere.
    if not text.isascii() or b"%" in text:
        raise ValueError("an address in a PROXY header that is none")
    return ofKind(text.decode("ascii"))


def _port(text: bytes) -> int:
    # Zeros in front are not allowed.
    if text.isdigit() and len(text) <= 5 and text == b"%d" % int(text) and int(text) <= 0xFFFF:
        return int(text)
    raise ValueError("a port in a PROXY header that is none")


def _parseV2(data: bytes, limit: int) -> Header | None:
    if len(data) < _V2_SIZE:
        return None
    command, kind, length = _V2_START.unpack_from(data, len(_V2))
    size = _V2_SIZE + length
    tcp = _TCP.get(kind) if command == _PROXY else None
    if command not in (_LOCAL, _PROXY):
        raise ValueError("a PROXY header of a version or with a command that is unknown")
    # A LOCAL header's family is not even looked at.
    if command == _PROXY and (kind >> 4 >= _FAMILIES or kind & 0xF >= _PROTOCOLS):
        raise ValueError("a PROXY header with a family or a protocol that is unknown")
    if tcp is not None and length < tcp[1].size:
        raise ValueError("a PROXY header too short for its addresses")
    if size > limit:
        raise ValueError(f"a PROXY header of {size} bytes, which is more than {limit}")
    if len(data) < size:
        return None
    # What is neither TCP over IPv4 nor over IPv6 has no address that is of use here, and behind
    # the addresses are TLVs, which "a receiver may choose to skip over".
    if tcp is None:
        return Header(None, size)
    ofKind, addresses = tcp
    source, _, port, _ = addresses.unpack_from(data, _V2_SIZE)
    return Header((ofKind(source), port), size)
