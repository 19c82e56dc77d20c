"""The Debian package: built, looked at, and walked through in a container with systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import ROOT, needs, needsRoot, run

pytestmark = pytest.mark.packages

MIRROR = "http://deb.debian.org/debian"
# What the package needs, and what the walk does.
INSTALLED = (
    *("adduser", "debconf", "python3", "systemd"),
    *("iproute2", "logrotate", "procps", "python3-venv", "sqlite3"),
)
WALKING = """
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/walk/walk
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS >/walk/ended'
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=append:/walk/said
StandardError=inherit
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """The package, as dpkg-buildpackage builds it of what git has."""
    needsRoot()
    needs("dpkg-buildpackage", "lintian", "git")
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        listed = run(
            "git",
            "-C",
            str(ROOT),
            "-c",
            "safe.directory=*",
            "ls-files",
            "-co",
            "-z",
            "--exclude-standard",
        )
        for path in filter(None, listed.decode().split("\0")):
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
        subprocess.run(["dpkg-buildpackage", "-b", "-us", "-uc"], cwd=source, check=True)
        [built] = Path(name).glob("*.deb")
        yield built


def test_lintian(package: Path) -> None:
    """lintian finds no error in the package."""
    run("lintian", "--fail-on", "error", str(package))


def test_walk(package: Path) -> None:
    """
    It is installed, configured, asked, backed up, its log rotated, upgraded with what was set,
    removed and purged.
    """
    needs("mmdebstrap", "systemd-nspawn")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        walk = root / "walk"
        include = f"--include={','.join(INSTALLED)}"
        run("mmdebstrap", "--quiet", "--variant=minbase", include, "bookworm", str(root), MIRROR)
        walk.mkdir()
        shutil.copy(package, walk / "new.deb")
        run("dpkg-deb", "-R", str(package), f"{name}/old")
        control = Path(name, "old/DEBIAN/control")
        control.write_text(re.sub("(?m)^Version: .*", "Version: 0.9.0", control.read_text()))
        run("dpkg-deb", "-b", f"{name}/old", str(walk / "old.deb"))
        shutil.copy(Path(__file__).parent / "walk", walk / "walk")
        units = root / "etc/systemd/system"
        (units / "walk.service").write_text(WALKING)
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        os.symlink("../walk.service", units / "multi-user.target.wants/walk.service")
        subprocess.run(
            [
                *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network"),
                *(f"--directory={root}", "--boot"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        said = (walk / "said").read_text()
        print(said)
        assert (walk / "ended").read_text() == "0\n", said
