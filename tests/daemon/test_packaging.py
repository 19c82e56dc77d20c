"""The ways to install it. What it depends on is the tests' own: nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.__main__ import files
from tests.support.daemon import IS_ROOT, ROOT, TWISTD, Daemon, run
from tests.support.installing import OFFLINE

FREE = {"FINGER_PORT": "0", "FINGER_SETTER_PORT": "0"}
# Any will do, as long as it is the same.
RELEASED = "1764115200"

# They share what is built.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]


class Place:
    """A folder with a checkout and a virtual environment, that has what the tests have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = checkout(folder)
        run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
        self.bin = folder / "venv/bin"
        [packages] = (folder / "venv/lib").glob("python*/site-packages")
        # A folder that is named so is searched, but no other such file in it is read: the
        # checkout that is tested isn't among what is installed.
        (packages / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
        script = Path(TWISTD).read_text().partition("\n")[2]
        self.twistd = str(self.bin / "twistd")
        Path(self.twistd).write_text(f"#!{self.bin}/python\n{script}")
        Path(self.twistd).chmod(0o755)

    def pip(self, *arguments: str) -> None:
        """Let pip do something in the virtual environment."""
        python = f"--python={self.bin}/python"
        run(sys.executable, "-m", "pip", "-q", python, "--disable-pip-version-check", *arguments)


def checkout(folder: Path) -> Path:
    """A copy of the files that make up the project."""
    copy = folder / "checkout"
    copy.mkdir()
    for name in ("fingerd", "twisted", "etc", "docs"):
        shutil.copytree(
            ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache")
        )
    for name in ("finger.tac", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def built(source: Path) -> tuple[Path, Path]:
    """The source distribution of a checkout, and the wheel that is built from that."""
    environment = f"SOURCE_DATE_EPOCH={RELEASED}"
    run("env", environment, sys.executable, "-m", "build", "--no-isolation", str(source))
    [archive] = (source / "dist").glob("*.tar.gz")
    [wheel] = (source / "dist").glob("*.whl")
    return archive, wheel


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """
    Where it is installed. Nobody but root enters this folder: what the daemon needs of it once it
    is another user it must have read before.
    """
    with tempfile.TemporaryDirectory() as name:
        yield Place(Path(name))


@pytest.fixture(scope="module")
def wheel(place: Place) -> Path:
    """The wheel."""
    return built(place.source)[1]


def answers(command: list[str], way: str, **environment: str) -> None:
    """What this command starts is a daemon that answers, and lets a status be set."""
    with tempfile.TemporaryDirectory() as folder:
        # Whoever the daemon becomes comes to its state in here.
        os.chmod(folder, 0o755)
        with Daemon(
            *("--listen=tcp:0", "--setter=tcp:0", f"--state={folder}/state"),
            command=command,
            environment=environment,
            asRoot=True,
        ) as daemon:
            assert daemon.ask(b"moshez\n") == b"Happy and very well\r\n", way
            assert daemon.set("moshez", "Busy") == b"OK\r\n", way
            assert daemon.ask(b"moshez\n") == b"Busy\r\n", way


def test_checkout(place: Place) -> None:
    """In a bare checkout twistd finds it, and nowhere else."""
    assert b"A finger daemon" not in run(place.twistd, "--help")
    answers(plugin(place), "bare checkout", PYTHONPATH=str(place.source))
    assert (place.source / "twisted/plugins/dropin.cache").exists()


def test_wheel(place: Place, wheel: Path) -> None:
    """From a wheel all commands are there; once that is uninstalled, twistd is as it was."""
    place.pip("install", *OFFLINE, str(wheel))
    answers(plugin(place), "installed")
    answers([str(place.bin / "fingerd")], "installed")
    for name in ("fingerq", "fingerset"):
        assert run(str(place.bin / name), "--help").startswith(b"usage: " + name.encode())
    share = place.folder / "venv/share"
    installed = {path.name for path in share.rglob("*") if path.is_file()}
    assert {path.name for path in files()} <= installed
    for name in ("fingerd.service", "fingerd.socket", "fingerd.logrotate", "users.toml.example"):
        assert (share / "fingerd" / name).read_text() == (ROOT / "etc" / name).read_text()
    place.pip("uninstall", "-y", "fingerd")
    assert b"A finger daemon" not in run(place.twistd, "--help")
    assert not any(path.is_file() for path in share.rglob("*"))


def test_editable(place: Place) -> None:
    """Installed to be worked on, both ways of running it work."""
    place.pip("install", *OFFLINE, "-e", str(place.source))
    answers(plugin(place), "editable")
    tac(place)
    place.pip("uninstall", "-y", "fingerd")


def test_image() -> None:
    """What a container of the image runs is a daemon that answers, and that is found healthy."""
    lines = (ROOT / "etc/Containerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if re.match("COPY [^-]", line)]
    assert all((ROOT / source).exists() for sources in copied for source in sources)
    commands = {line.split()[0]: line for line in lines if line.endswith("]")}
    said = {word: json.loads(line[line.index("[") :]) for word, line in commands.items()}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        Path(folder, "users").write_text("moshez:Happy and well\n")
        places = {"/var/lib/fingerd": f"{folder}/state", "/run/fingerd": folder}
        places["/etc/fingerd/users"] = f"{folder}/users"
        command = " ".join([*said["ENTRYPOINT"], *said["CMD"]])
        for place, ours in places.items():
            assert place in command
            command = command.replace(place, ours)
        program, *arguments = command.split()
        bin = Path(sys.executable).parent
        with Daemon(*arguments, "--listen=tcp:0", command=[str(bin / program)]) as daemon:
            assert daemon.ask(b"moshez\n") == b"Happy and well\r\n"
            program, *arguments = [
                word.replace("7979", str(daemon.port)) for word in said["HEALTHCHECK"]
            ]
            run(str(bin / program), *arguments)
        with pytest.raises(AssertionError, match="refused"):
            run(str(bin / program), *arguments)


def plugin(place: Place) -> list[str]:
    """Begins a command that runs it under twistd."""
    return [place.twistd, "-n", "--pidfile=", "finger"]


def tac(place: Place) -> None:
    """The tac does its work in a folder that its lesser user can't enter, and says so."""
    with Daemon(
        *("-noy", str(place.source / "finger.tac"), "--pidfile="),
        command=[place.twistd],
        environment=FREE,
        asRoot=True,
    ) as daemon:
        assert daemon.ask(b"moshez\n") == b"Happy and very well\r\n"
        assert daemon.set("moshez", "Busy") == b"OK\r\n"
        refusal = b"Not set: a status has no control characters\r\n"
        assert daemon.set("moshez", "B\x1b") == refusal
        said = [line for line in daemon.log if "can't be read again" in line]
        assert len(said) == (1 if IS_ROOT else 0)
    assert "Traceback" not in "\n".join(daemon.log)


def test_whatIsInIt(wheel: Path) -> None:
    """The wheel has what is needed, and nothing that would break Twisted."""
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "twisted/plugins/fingerd_plugin.py",
        "fingerd/py.typed",
        "fingerd/users.example",
    ):
        assert wanted in names
    for unwanted in ("dropin.cache", "twisted/__init__.py", "twisted/plugins/__init__.py"):
        assert [name for name in names if name.endswith(unwanted)] == []


def test_reproducible(wheel: Path) -> None:
    """Whoever builds a release, wherever and whenever, gets the same bytes."""
    archive = next(wheel.parent.glob("*.tar.gz"))
    with tempfile.TemporaryDirectory() as name:
        source = checkout(Path(name))
        for path in source.rglob("*"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
            path.chmod(path.stat().st_mode & 0o700)
        again = built(source)
        assert [digest(path) for path in again] == [digest(archive), digest(wheel)]


def digest(path: Path) -> tuple[str, str]:
    """A file's name, and what stands for its bytes."""
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()
