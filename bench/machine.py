"""What was measured on: figures mean little without it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import time
from importlib import metadata
from pathlib import Path


def machine() -> dict[str, str]:
    """The machine and the versions, in words."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Twisted": metadata.version("twisted"),
        "SQLite": sqlite3.sqlite_version,
        "compiler": _compiler(),
        # Much above nothing: others were at work too, and the figures are not worth much.
        "load at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def fileSystem(path: Path) -> str:
    """The file system that a path is on."""
    there, best, kind = str(path.resolve()), "", "unknown"
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, point, type_, *_ = line.split()
            if len(point) > len(best) and f"{there}/".startswith(f"{point.rstrip('/')}/"):
                best, kind = point, type_
    return kind


def _processor() -> str:
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _compiler() -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        return "none"
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.partition("\n")[0]
