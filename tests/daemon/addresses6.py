"""
Clients from many IPv6 addresses, in a network of their own: see L{tests.support.network}.

Run with a port, it lets 60 come from one network of 64 bits, each from another address, and then
one
from another network; each sends a query in two parts. It prints the answers.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys

# See netdevice(7) and ipv6(7).
_SIOCSIFADDR = 0x8916
COUNT = 60
_ADDRESSES = [f"2001:db8:0:1::{number:x}" for number in range(1, COUNT + 1)] + ["2001:db8:0:2::1"]


def main(port: int) -> None:
    """Come, ask, and print what came back."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        index = socket.if_nametoindex("lo")
        for address in _ADDRESSES:
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(probe, _SIOCSIFADDR, struct.pack("16sIi", packed, 128, index))
    clients = []
    for address in _ADDRESSES:
        client = socket.create_connection(("::1", port), 30, (address, 0))
        client.sendall(b"mos")
        clients.append(client)
    answers = []
    for client in reversed(clients):
        try:
            client.sendall(b"hez\r\n")
            answers.append(client.recv(1000).decode())
        except OSError:
            answers.append("")
    print(json.dumps(answers[::-1]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
