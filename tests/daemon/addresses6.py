"""
Clients from many IPv6 addresses, in a network of their own: see L{tests.support.network}.

Run with a port, it lets 60 come from one network of 64 bits, each from another address, and then
one from another network; each sends a query in two parts. It prints the answers.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys

# <linux/in6.h>: to bind to an address that no interface has.
_IPV6_FREEBIND = 78
COUNT = 60
_ADDRESSES = [f"2001:db8:0:1::{number:x}" for number in range(1, COUNT + 1)] + ["2001:db8:0:2::1"]


def main(port: int) -> None:
    """Come, ask, and print what came back."""
    # All of the addresses are this machine's from now on; one that an interface is given would be
    # only some time later.
    subprocess.run(["ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo"], check=True)
    clients = []
    for address in _ADDRESSES:
        client = socket.socket(socket.AF_INET6)
        client.settimeout(30)
        client.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        client.bind((address, 0))
        client.connect(("::1", port))
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
