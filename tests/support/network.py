"""
A network of a test's own, in which every port is free, for clients that know only port 79.

Run by itself it lets the loopback interface begin, says so, and stays until its input ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.support.daemon import ROOT, Daemon, needsRoot, run

# See netdevice(7).
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
# See setns(2).
_CLONE_NEWNET = 0x40000000


class Network:
    """Exists until the block ends. Only root can make one."""

    def __init__(self) -> None:
        needsRoot()
        self._process = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-m", "tests.support.network"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        # Of a process that is in it.
        self.pid = self._process.pid
        # What to put before a command that is to run in it.
        self.inside = ("nsenter", f"--net=/proc/{self.pid}/ns/net")

    def __enter__(self) -> Network:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"up\n"
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()

    def daemon(self, *command: str) -> Daemon:
        """A daemon in it, started by root."""
        return Daemon(command=[*self.inside, *command], asRoot=True)

    def run(self, *command: str, stdin: bytes = b"") -> bytes:
        """Run a client in it, and give what it prints."""
        return run(*self.inside, *command, stdin=stdin)

    def connector(self) -> socket.socket:
        """A TCP socket in this network, whoever connects it."""
        # It stays where it was made. Of this process only one thread enters, and ends.
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(self._connector).result()

    def _connector(self) -> socket.socket:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self.pid}/ns/net") as network:
            if libc.setns(network.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return socket.socket()


if __name__ == "__main__":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    print("up", flush=True)
    sys.stdin.read()
