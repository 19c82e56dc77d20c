"""
A line of the query log: what was asked, by whom, and what came of it.

JSON::

    {"time":"2026-11-22T18:05:01.250Z","peer":"192.0.2.1","door":"tcp","query":"moshez",
     "outcome":"found","bytes":16,"ms":0.31}

(on one line), or plain text, with the same names::

    time=2026-11-22T18:05:01.250Z peer=192.0.2.1 door=tcp query="moshez" outcome=found bytes=16
    ms=0.31

All of it is printable ASCII, whatever a client sends: a query is escaped as in JSON, and bytes
that aren't UTF-8 show as ``\\xff``. Of a long one, only the beginning is there, and then ``cut`` is
true. A peer that isn't known, or isn't to be told, is null, or ``-``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_network
from json.encoder import encode_basestring_ascii as quoted

from fingerd.system.addresses import parseIP

Line = Callable[[float, str | None, str, bytes, str, int, float], str]

FORMS = ("json", "text")
PEERS = ("full", "masked", "none")

# Printable ASCII that stands for itself in a JSON string.
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
# Peers whose texts are remembered: such a text takes longer to make than all the rest of a line.
_REMEMBERED = 4096


def lines(form: str, peers: str, longest: int) -> Line:
    """
    A function that makes a line, with its line end, of the time at which a query was answered
    (seconds since the epoch), its peer, door, text, outcome, size (bytes) and seconds.

    @param form: C{json} or C{text}.
    @param peers: C{full}; C{masked}, to the /24 of an IPv4 address and the /48 of another; C{none}.
    @param longest: bytes of a query that are shown.
    """
    json = form == "json"
    nobody, cut = ("null", ',"cut":true') if json else ("-", " cut=true")
    moment, moments = -1, ""

    @lru_cache(_REMEMBERED)
    def peerText(peer: str | None) -> str:
        text = peers != "none" and peer is not None and shownPeer(peer, peers == "masked")
        return (f'"{text}"' if json else text) if text else nobody

    def line(
        at: float,
        peer: str | None,
        door: str,
        query: bytes,
        outcome: str,
        size: int,
        seconds: float,
    ) -> str:
        nonlocal moment, moments
        # Many queries come in the same millisecond, and its text takes long to make.
        now = int(at * 1000)
        if now != moment:
            moment, moments = now, _momentText(now)
        if not query.translate(None, _PLAIN) and len(query) <= longest:
            text = f'"{query.decode("ascii")}"'
        else:
            text = quoted(query[:longest].decode("utf-8", "backslashreplace"))
            if len(query) > longest:
                text += cut
        if json:
            return (
                f'{{"time":"{moments}","peer":{peerText(peer)},"door":"{door}","query":{text},'
                f'"outcome":"{outcome}","bytes":{size},"ms":{seconds * 1000:.2f}}}\n'
            )
        return (
            f"time={moments} peer={peerText(peer)} door={door} query={text} "
            f"outcome={outcome} bytes={size} ms={seconds * 1000:.2f}\n"
        )

    return line


def shownPeer(peer: str, masked: bool) -> str | None:
    """
    An IP address, or the network that it is in; None for what is no IP address. An IPv4 client
    of an IPv6 socket has its IPv4 address.
    """
    try:
        ip = parseIP(peer)
    except ValueError:
        return None
    if not masked:
        return str(ip)
    return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


@lru_cache(1)
def _secondText(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _momentText(milliseconds: int) -> str:
    second, rest = divmod(milliseconds, 1000)
    return f"{_secondText(second)}.{rest:03d}Z"
