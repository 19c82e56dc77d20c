"""
What a reload costs: ``python -m bench.reload --users 1000000 --format toml``.

A file is written and read, written again and reloaded, while users are looked up every
millisecond. Printed are the longest time in which the reactor did nothing else, the time it took,
and the memory: of the daemon, and of the processes it has besides.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from fingerd.directories.toml_file import TomlFile
from fingerd.directories.users_file import UsersFile

if TYPE_CHECKING:
    from fingerd.directories.watched_file import WatchedFile

FORMATS: dict[str, tuple[type[WatchedFile], Callable[[int, str], str]]] = {
    # About 80 bytes a user.
    "users": (
        UsersFile,
        lambda n, word: (
            f"user{n:07}:{word} the chapter about number {n:07}, and then the next one\n"
        ),
    ),
    "toml": (
        TomlFile,
        lambda n, word: (
            f'[user{n:07}]\nname = "Somebody {n}"\nstatus = "{word} the chapter about {n}"\n'
            f'office = "Room {n % 1000}"\n\n'
        ),
    ),
}


class Gaps:
    """
    Looks a user up every millisecond, and notes the longest time between two looks: on the clock,
    and of the processor, which tells the daemon's own work from that of a busy machine.
    """

    def __init__(self, directory: WatchedFile, users: int) -> None:
        self.longest = self.longestWork = 0.0
        self.over = 0
        self._directory = directory
        self._users = users
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._last = time.perf_counter()
        self._lastWork = time.thread_time()

    def look(self) -> None:
        """Look a user up, and again in a millisecond."""
        gap = time.perf_counter() - self._last
        self.longest = max(self.longest, gap)
        self.longestWork = max(self.longestWork, time.thread_time() - self._lastWork)
        self.over += gap > 0.01
        self.begin()
        self._number = (self._number + 7919) % self._users
        found: list[object] = []
        self._directory.getUser(f"user{self._number:07}").addCallback(found.append)
        assert found[0] is not None
        cast(Any, reactor).callLater(0.001, self.look)


def memory(pid: int | str, field: str) -> float:
    """A field of a process's memory, in MB."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def others(pid: int) -> Iterator[int]:
    """The processes below this one."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in map(int, file.read().split()):
            yield child
            yield from others(child)


def own(pid: int) -> float:
    """The memory that a process shares with no other, in MB."""
    size = 0
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith(("Private_Dirty:", "Private_Clean:")):
                size += int(line.split()[1])
    return size / 1024


def main() -> None:
    """Measure what the command line asks for, and print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=1_000_000)
    options.add_argument("--format", choices=FORMATS, default="users")
    arguments = options.parse_args()
    kind, line = FORMATS[arguments.format]
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)

    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "file")

        def write(word: str) -> None:
            with open(path, "w") as file:
                file.writelines(line(n, word) for n in range(arguments.users))
            # Not written a moment ago.
            os.utime(path, (time.time() - 10 + len(word), time.time() - 10 + len(word)))

        write("Writing")
        directory = kind(path, cast(Any, reactor))
        empty = memory("self", "VmRSS")
        began = time.perf_counter()
        directory.startService()
        loading = time.perf_counter() - began
        loaded = memory("self", "VmRSS")
        write("Reading")
        size = os.path.getsize(path) / 1e6
        gaps = Gaps(directory, arguments.users)
        besides = [0.0]

        def sample() -> None:
            # One may just have ended.
            with contextlib.suppress(OSError):
                besides.append(sum(map(own, others(os.getpid()))))

        # A gap of its own, of a millisecond or two.
        sampling = task.LoopingCall(sample)

        def begin() -> None:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
            gaps.begin()
            gaps.look()
            sampling.start(2.0)
            began = time.perf_counter()
            done: Deferred[None] = directory.reload()
            done.addCallback(lambda _: ended(time.perf_counter() - began))

        def ended(seconds: float) -> None:
            sampling.stop()
            after = memory("self", "VmRSS")
            peak = memory("self", "VmHWM")
            print(f"{arguments.users} users, {size:.0f} MB, {arguments.format}")
            print(f"first load {loading:.1f} s, reload {seconds:.1f} s")
            print(
                f"longest gap {gaps.longest * 1e3:.1f} ms, {gaps.over} above 10 ms; "
                f"longest work in a gap {gaps.longestWork * 1e3:.1f} ms"
            )
            print(
                f"memory MB: empty {empty:.0f}, loaded {loaded:.0f}, reloaded {after:.0f}, "
                f"peak {peak:.0f} ({peak / loaded:.2f} of loaded), besides {max(besides):.0f}"
            )
            cast(Any, reactor).stop()

        cast(Any, reactor).callWhenRunning(begin)
        cast(Any, reactor).run()
        directory.stopService()


if __name__ == "__main__":
    main()
