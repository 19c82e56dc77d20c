"""The ways to install it, from the first command to the last, in a Debian of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.test_readme import UPGRADING, blocks
from tests.support.daemon import ROOT, needs, needsRoot, run

pytestmark = pytest.mark.packages

MIRROR = "http://deb.debian.org/debian"
# What the package needs, and what the walks do.
INSTALLED = (
    *("adduser", "debconf", "python3", "systemd"),
    *("iproute2", "logrotate", "procps", "python3-venv", "sqlite3"),
)
# Debian's other finger daemons, and what they need.
OTHERS = ("fingerd", "efingerd", "cfingerd")
THEIRS = ("finger", "libident", "netbase", "openbsd-inetd", "update-inetd")
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
def source() -> Iterator[Path]:
    """What git has of the checkout, in a folder of its own."""
    needsRoot()
    needs("git")
    ours = "git", "-C", str(ROOT), "-c", "safe.directory=*"
    listed = run(*ours, "ls-files", "-co", "-z", "--exclude-standard")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "source"
        for path in filter(None, listed.decode().split("\0")):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy / path)
        yield copy


@pytest.fixture(scope="module")
def package(source: Path) -> Path:
    """The package, as dpkg-buildpackage builds it."""
    needs("dpkg-buildpackage")
    subprocess.run(["dpkg-buildpackage", "-b", "-us", "-uc"], cwd=source, check=True)
    [built] = source.parent.glob("*.deb")
    return built


@pytest.fixture(scope="module")
def debian() -> Iterator[Path]:
    """A fresh Debian, as an archive."""
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "root.tar"
        bootstrap(archive, *INSTALLED)
        yield archive


def bootstrap(archive: Path, *include: str, hooks: Sequence[str] = ()) -> None:
    """Make a Debian that has these packages, after what the hooks do to its folder C{$1}."""
    needs("mmdebstrap")
    run(
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(include)}"),
        *(f"--customize-hook={hook}" for hook in hooks),
        *("bookworm", str(archive), MIRROR),
    )


@pytest.fixture
def walk(debian: Path) -> Iterator[Path]:
    """The folder that is /walk in a container with that Debian: what it has is to be put there."""
    with walking(debian) as folder:
        yield folder


@contextmanager
def walking(archive: Path) -> Iterator[Path]:
    """As above, with any Debian."""
    with tempfile.TemporaryDirectory() as name:
        run("tar", "xf", str(archive), "-C", name)
        units = Path(name, "etc/systemd/system")
        (units / "walk.service").write_text(WALKING)
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        os.symlink("../walk.service", units / "multi-user.target.wants/walk.service")
        folder = Path(name, "walk")
        folder.mkdir()
        yield folder


def walked(folder: Path, script: str) -> None:
    """Do what a script does, in the container, and see it come to its end."""
    needs("systemd-nspawn")
    shutil.copy(Path(__file__).parent / script, folder / "walk")
    alone = "--register=no", "--keep-unit", "--private-network"
    subprocess.run(
        ["systemd-nspawn", "--quiet", *alone, f"--directory={folder.parent}", "--boot"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    said = (folder / "said").read_text()
    print(said)
    assert (folder / "ended").read_text() == "0\n", said


def test_lintian(package: Path) -> None:
    """lintian finds no error in the package."""
    needs("lintian")
    run("lintian", "--fail-on", "error", str(package))


def test_package(package: Path, walk: Path) -> None:
    """
    The package is installed, configured, checked, asked, backed up, its log rotated, upgraded
    with what was set, removed and purged.
    """
    shutil.copy(package, walk / "new.deb")
    with tempfile.TemporaryDirectory() as old:
        run("dpkg-deb", "-R", str(package), old)
        control = Path(old, "DEBIAN/control")
        control.write_text(re.sub("(?m)^Version: .*", "Version: 0.9.0", control.read_text()))
        run("dpkg-deb", "-b", old, str(walk / "old.deb"))
    walked(walk, "walk-package")


def test_others(package: Path, tmp_path: Path) -> None:
    """
    Each of Debian's finger daemons and this one take each other's place, the port too, and what one
    has left behind can be purged without harm to the other.
    """
    download = f'chroot "$1" sh -c "cd /others && apt-get download -q {" ".join(OTHERS)}"'
    archive = tmp_path / "others.tar"
    bootstrap(archive, *INSTALLED, *THEIRS, hooks=('mkdir "$1/others"', download))
    with walking(archive) as folder:
        shutil.copy(package, folder / "new.deb")
        walked(folder, "walk-others")


def test_pip(source: Path, walk: Path) -> None:
    """The same with pip, by the commands that the README and the page on upgrading have."""
    wheels = ("twisted>=26.10", "zope.interface>=8", "wcwidth>=0.9.4", "hatchling")
    run(sys.executable, "-m", "pip", "download", "-q", "-d", str(walk / "wheels"), *wheels)
    shutil.copytree(source, walk / "source", ignore=shutil.ignore_patterns("debian"))
    [install] = [block for block in blocks("sh") if "useradd" in block]
    names = ("back-up", "restore", "upgrade", "remove", "forget")
    steps = dict(zip(names, blocks("sh", UPGRADING), strict=True))
    steps |= {"install": install, "start": install[install.index("/opt/fingerd/bin/twistd") :]}
    for name, commands in steps.items():
        (walk / name).write_text(commands)
    walked(walk, "walk-pip")
