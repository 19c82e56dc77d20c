"""Watching a process while it works: the memory of those below it, and what it asks the kernel."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.processes import below, own

# Seconds between two looks at the memory.
_SAMPLE = 0.2
# How long it may take until a process is traced.
_TRACING = 10.0


@contextmanager
def memoryBelow(pid: int) -> Iterator[list[float]]:
    """Meanwhile, now and then: the memory of the processes below this one, in MB."""
    sizes, over = [0.0], threading.Event()

    def sample() -> None:
        while not over.wait(_SAMPLE):
            # One may just have ended.
            with suppress(OSError):
                sizes.append(sum(map(own, below(pid))))

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield sizes
    finally:
        over.set()
        sampling.join()


def callsAboutFiles(pid: int, folder: Path, work: Callable[[], object]) -> int | None:
    """
    How many calls of the system about files a process makes while ``work`` is done; None where
    that can't be traced.
    """
    strace = shutil.which("strace")
    if strace is None:
        return None
    traced = folder / "traced"
    command = [strace, "-qq", "-e", "trace=%file", "-o", str(traced), "-p", str(pid)]
    tracing = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _TRACING
        while tracing.poll() is None and not _isTraced(pid):
            if time.monotonic() > end:
                return None
            time.sleep(0.01)
        if tracing.poll() is not None:
            return None
        work()
    finally:
        with suppress(ProcessLookupError):
            tracing.send_signal(signal.SIGINT)
        tracing.wait()
    return len(traced.read_text().splitlines())


def _isTraced(pid: int) -> bool:
    with open(f"/proc/{pid}/status") as file:
        return any(line.startswith("TracerPid:") and int(line.split()[1]) for line in file)
