"""Processes as the kernel sees them: their time, their memory and where they run."""

from __future__ import annotations

import os
import random
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def cores() -> tuple[int, int]:
    """A core for the server and one for its clients: the same, where there is but one."""
    mayUse = sorted(os.sched_getaffinity(0))
    return mayUse[0], mayUse[-1]


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started meanwhile runs on this core only; None for any."""
    before = os.sched_getaffinity(0)
    try:
        if core is not None:
            os.sched_setaffinity(0, {core})
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpuTime(pid: int) -> float:
    """
    The processor's time that a process has had, with all its threads, as user and in the kernel,
    in seconds. Unlike what /proc has of it, it is exact to less than a microsecond.
    """
    # What clock_getcpuclockid(3) gives: Python has no such function for processes.
    return time.clock_gettime((~pid << 3) | 2)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def memory(pid: int, field: str = "VmRSS") -> float:
    """A field of a process's memory, in MB."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def forgetPeak(pid: int) -> None:
    """Let the peak of a process's memory, VmHWM, begin anew."""
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def own(pid: int) -> float:
    """The memory that a process shares with no other, in MB; 0 for one that has ended."""
    size = 0
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith(("Private_Dirty:", "Private_Clean:")):
                size += int(line.split()[1])
    return size / 1024


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def allowDescriptors(count: int) -> None:
    """Let this process, and those that it starts, have so many files and sockets open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        # Only root gets more than the hard limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))


def freePort() -> int:
    """A TCP port of 127.0.0.1 that nobody has, nor gets by chance."""
    # Below the ports of clients.
    while True:
        port = random.randrange(20000, 32000)
        with suppress(OSError), socket.socket() as attempt:
            attempt.bind(("127.0.0.1", port))
            return port
