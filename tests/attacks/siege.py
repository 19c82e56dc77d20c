"""A daemon that is attacked while good clients ask it, and what that does to either."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tests.attacks.attackers import Got
from tests.attacks.beside import Answered, Beside, Question
from tests.support.daemon import PATIENCE, Daemon

LONG = "x" * 60_000
# One name, in one segment and in three; what isn't there; several names; a list; refusals.
QUESTIONS: list[Question] = [
    ([b"moshez\r\n"], b"Happy and well\r\n"),
    ([b"/W ", b"radix", b"\r\n"], b"Writing\r\na web server\r\n"),
    ([b"nobody\n"], b"No such user\r\n"),
    ([b"moshez,nobody\r\n"], b"[moshez]\r\nHappy and well\r\n\r\n[nobody]\r\nNo such user\r\n"),
    ([b"a@example.com\r\n"], b"Finger forwarding service denied\r\n"),
    ([b"long\r\n"], LONG.encode() + b"\r\n"),
]


class Use(NamedTuple):
    """What a process uses: megabytes of memory, and descriptors."""

    memory: float
    descriptors: int


class Report(NamedTuple):
    """What an attack did. ``logged`` is what the log has grown by, in lines and in bytes."""

    attack: Got
    good: Answered
    before: Use
    peak: Use
    after: Use
    logged: tuple[int, int]
    seconds: float


class Siege:
    """A daemon with users to be asked for, until the block ends."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        door: str = "tcp:0:interface=127.0.0.1",
        certificate: Path | None = None,
        before: Sequence[bytes] = (),
    ):
        """
        @param folder: one for its files.
        @param arguments: more options.
        @param certificate: the door's, where it speaks TLS.
        @param before: what the good clients send before each query.
        """
        self._certificate = certificate
        self._questions = [([*before, *sent], said) for sent, said in QUESTIONS]
        folder.chmod(0o1777)
        users = folder / "users"
        users.write_text(
            "moshez:Happy and well\nradix:Writing\n  a web server\nsetting:Nothing\n"
            f"long:{LONG}\n" + "".join(f"many{i}:{LONG[:100]}\n" for i in range(1500))
        )
        self.daemon = Daemon(
            "-n",
            "--pidfile=",
            "finger",
            f"--listen={door}",
            "--setter=tcp:0:interface=127.0.0.1",
            f"--users={users}",
            f"--state={folder}/state",
            *arguments,
            fresh=True,
        )

    def __enter__(self) -> Siege:
        self.daemon.__enter__()
        # The files that it opens for the first status are no attack's.
        assert self.daemon.set("setting", "Busy") == b"OK\r\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.daemon.__exit__(kind, error, traceback)

    def under(self, attack: Callable[[Daemon], Got]) -> Report:
        """Attack the daemon once, with good clients beside it, and see what that does."""
        daemon = self.daemon
        before, said = self.use(), len(daemon.log)
        watch = _Watch(self)
        beside = Beside(daemon.port, self._questions, daemon.setterPort, self._certificate)
        began = time.monotonic()
        try:
            got = attack(daemon)
        finally:
            seconds = time.monotonic() - began
            good = beside.end()
            watch.end()
        until = time.monotonic() + PATIENCE
        after = self.use()
        # The daemon says nothing of connections that are over.
        while after.descriptors > before.descriptors and time.monotonic() < until:
            time.sleep(0.05)
            after = self.use()
        # The good clients' settings are logged, as they are to be.
        lines = [line for line in daemon.log[said:] if "'setting' set by" not in line]
        logged = len(lines), sum(len(line) + 1 for line in lines)
        return Report(got, good, before, watch.peak, after, logged, seconds)

    def use(self) -> Use:
        """What the daemon uses now."""
        process = Path(f"/proc/{self.daemon.pid}")
        pages = int((process / "statm").read_text().split()[1])
        megabytes = pages * resource.getpagesize() / 2**20
        return Use(megabytes, len(os.listdir(process / "fd")))


class _Watch:
    """Looks at what the daemon uses, a few times in a second."""

    def __init__(self, siege: Siege) -> None:
        self._siege = siege
        self.peak = siege.use()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._end.wait(0.2):
            now, peak = self._siege.use(), self.peak
            self.peak = Use(max(now.memory, peak.memory), max(now.descriptors, peak.descriptors))

    def end(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()


def room(wanted: int) -> int:
    """
    Let this process, and the daemons that it starts, have as many descriptors as they may.

    @return: how many clients it has room for: as many as ``wanted``, if it may have them.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - 1500)
