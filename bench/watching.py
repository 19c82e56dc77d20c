"""Watching a process while it works: what it asks the kernel."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# How long it may take until a process is traced.
_TRACING = 10.0


def callsAboutFiles(pid: int, folder: Path, work: Callable[[], object]) -> int | None:
    """
    How many calls of the system about files a process makes, in all its threads, while ``work`` is
    done; None where that can't be traced.
    """
    strace = shutil.which("strace")
    if strace is None:
        return None
    traced = folder / "traced"
    command = [strace, "-f", "-qq", "-e", "trace=%file", "-o", str(traced), "-p", str(pid)]
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
    """Whether all threads of the process are traced."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return all("\nTracerPid:\t0\n" not in (each / "status").read_text() for each in threads)
