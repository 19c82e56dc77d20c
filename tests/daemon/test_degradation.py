"""
What a real daemon does while something fails: answers go on as far as they can, nothing that was
acknowledged is lost, and it recovers by itself. How directories fail is in test_sources_failing.py,
what else befalls statuses in test_statuses_faults.py.
"""

from __future__ import annotations

import os
import re
import resource
import select
import shutil
import signal
import socket
from pathlib import Path

from tests.daemon.faults import (
    FAILED,
    FaultCase,
    LoggingDaemon,
    SilentNameServer,
    exchangeUnix,
    fill,
    inside,
    limit,
    until,
)
from tests.daemon.sources import refusing
from tests.support.daemon import PATIENCE, needsRoot


class DirectoriesDownTests(FaultCase):
    """Directories that don't answer, beside one that does."""

    def test_beside(self) -> None:
        """While a program hangs and a server is down, all others are answered at once."""
        hanging = self.program('[ "$#$2" = 2moshez ] || sleep 1000')
        with self.daemon(
            f"--directory=file:{self.users}",
            f"--directory={hanging}",
            f"--directory={refusing(self)}",
            "--limit=peerLookups=100",
        ) as daemon:
            waiting = [self.connect(daemon) for _ in range(40)]
            for connection in waiting:
                connection.sendall(b"radix\n")
            for _ in range(10):
                self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
            # The first of those that wait may be answered by now, the last is not.
            self.assertEqual(select.select(waiting[-1:], [], [], 0)[0], [])
            for connection in waiting:
                self.assertTrue(connection.recv(1000).startswith(FAILED))
            said = daemon.ask(b"\n")
            self.assertTrue(
                said.startswith(b"moshez  Writing\r\n\r\n[source 2]\r\n" + FAILED), said
            )


class DiskTests(FaultCase):
    """Disks that only the daemon has."""

    def test_stateDiskFull(self) -> None:
        """
        On a full disk, setting a status is refused in words, answers go on, and what was
        acknowledged stays; with room again, it is set.
        """
        needsRoot()
        state = self.folder / "state"
        state.mkdir()
        script = f"mount -t tmpfs -o size=400k,mode=700,uid=65534,gid=65534 tmpfs {state}"
        with self.daemon(script=script) as daemon:
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
            filler = inside(daemon, state / "filler")
            fill(filler)
            shown = "Writing"
            for number in range(200):
                said = daemon.set("moshez", f"{number} {'x' * 900}")
                if said != b"OK\r\n":
                    break
                shown = f"{number} {'x' * 900}"
            self.assertEqual(said, b"Not set: the disk is full\r\n")
            for _ in range(20):
                self.assertEqual(daemon.set("moshez", "x" * 900), said)
                self.assertEqual(daemon.ask(b"moshez\n"), f"{shown}\r\n".encode())
            self.assertEqual(sum("can't be kept" in line for line in daemon.log), 1)
            self.replace("moshez:Happy\nradix:There\n")
            self.shows(daemon, b"radix\n", b"There\r\n")
            filler.unlink()
            self.assertEqual(daemon.set("moshez", "Reading"), b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Reading\r\n")
            daemon.says("statuses are kept again")

    def test_logDiskFull(self) -> None:
        """With no room for the log, all goes on; with room again, the log does too."""
        needsRoot()
        logs = self.folder / "logs"
        logs.mkdir()
        log = logs / "log"
        script = (
            f"mount -t tmpfs -o size=64k,mode=777 tmpfs {logs}\n"
            f'twistd=$1; shift; set -- "$twistd" --logfile={log} "$@"'
        )
        with LoggingDaemon(self.daemon(script=script), log) as logging:
            daemon = logging.daemon
            filler = inside(daemon, logs / "filler")
            fill(filler)
            memory = _resident(daemon.pid)
            for number in range(300):
                self.assertEqual(daemon.set("moshez", f"Writing {number}"), b"OK\r\n")
                self.assertEqual(daemon.ask(b"moshez\n"), f"Writing {number}\r\n".encode())
            self.assertLess(_resident(daemon.pid) - memory, 8 * 2**20)
            filler.unlink()
            self.assertEqual(daemon.set("moshez", "Reading"), b"OK\r\n")
            until(lambda: "status of 'moshez' set" in logging.said(), "logged again")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.ended(), -signal.SIGTERM)


class UsersFileTests(FaultCase):
    """A users file that goes away."""

    def test_usersFile(self) -> None:
        """
        While it is gone, empty, binary or a directory, or can't be read, the users stay; then it
        is read.
        """
        with self.daemon() as daemon:
            for fault, reason in (
                (lambda: self.replace(""), "it is empty"),
                (lambda: self.replace("moshez:Nobody\0\n"), "it is binary"),
                (self.users.unlink, "No such file or directory"),
                (self.users.mkdir, "not a regular file"),
                (self.unreadable, "Permission denied"),
            ):
                fault()
                daemon.signal(signal.SIGHUP)
                daemon.says(f"{re.escape(str(self.users))} can't be read .*{reason}")
                self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
                self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
                self.assertEqual(daemon.ask(b"moshez\n"), b"Writing\r\n")
                self.assertEqual(daemon.set("moshez", ""), b"OK\r\n")
            self.users.unlink()
            self.replace("moshez:Back\n")
            self.shows(daemon, b"moshez\n", b"Back\r\n")

    def unreadable(self) -> None:
        shutil.rmtree(self.users)
        self.replace("moshez:Secret\n")
        self.users.chmod(0)


class ProcessTests(FaultCase):
    """Limits of the process that are lowered while it runs, and signals."""

    def test_memory(self) -> None:
        """
        A users file for which there isn't the memory is not taken over; the users stay, answers
        and settings go on, and with the memory there it is.
        """
        with self.daemon() as daemon:
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
            size = int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[0])
            most = size * resource.getpagesize() + 24 * 2**20
            limit(daemon, "as", str(most))
            lines = "".join(f"user{n}:{n} {'x' * 150}\n" for n in range(300_000))
            self.replace(lines + "moshez:Happy\nradix:There\n")
            daemon.says(f"{re.escape(str(self.users))} can't be read")
            for _ in range(20):
                self.assertEqual(daemon.ask(b"moshez\n"), b"Writing\r\n")
            self.assertEqual(daemon.ask(b"radix\n"), b"No such user\r\n")
            self.assertEqual(daemon.set("moshez", "Reading"), b"OK\r\n")
            limit(daemon, "as", "unlimited")
            self.shows(daemon, b"radix\n", b"There\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Reading\r\n")

    def test_descriptors(self) -> None:
        """
        Out of descriptors, those who come are closed and not left waiting; when some are
        free again, all is as before.
        """
        with self.daemon() as daemon:
            self.assertEqual(daemon.set("moshez", "Writing"), b"OK\r\n")
            used = len(os.listdir(f"/proc/{daemon.pid}/fd"))
            limit(daemon, "nofile", str(used + 10))
            held = [self.connect(daemon) for _ in range(300)]
            # Those that found no place are told so by the end of their connections.
            ended = 0
            while ended < 280:
                ready, _, _ = select.select(held, [], [], PATIENCE)
                self.assertTrue(ready, f"{len(held)} are left waiting")
                for connection in ready:
                    held.remove(connection)
                    connection.close()
                    ended += 1
            # Who has a place is answered.
            held[0].sendall(b"moshez\n")
            self.assertEqual(held[0].recv(1000), b"Writing\r\n")
            for connection in held:
                connection.close()
            self.shows(daemon, b"moshez\n", b"Writing\r\n")
            # That takes one more, to ask the kernel whose the connection is.
            until(lambda: daemon.set("moshez", "Reading") == b"OK\r\n", "a status is set")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Reading\r\n")

    def test_stopped(self) -> None:
        """Stopped and continued, it answers who has asked meanwhile."""
        with self.daemon() as daemon:
            daemon.signal(signal.SIGSTOP)
            asking = [self.connect(daemon) for _ in range(50)]
            for connection in asking:
                connection.sendall(b"moshez\n")
            self.assertEqual(select.select(asking, [], [], 0.2)[0], [])
            daemon.signal(signal.SIGCONT)
            for connection in asking:
                self.assertEqual(connection.recv(1000), b"Happy and well\r\n")


class NameServerTests(FaultCase):
    """A DNS that says nothing."""

    def test_nameServers(self) -> None:
        """Who would need a name looked up is told in time that it failed; all others go on."""
        resolver = self.file("resolv.conf", f"nameserver {SilentNameServer.address}\n")
        finger, setter = self.folder / "finger", self.folder / "set"
        with (
            SilentNameServer() as names,
            self.daemon(
                # By a path it can be reached from other networks.
                f"--directory=file:{self.users}",
                "--directory=finger://directory.example",
                "--forward=forward.example",
                f"--listen=unix:{finger}",
                script=f"mount --bind {resolver} /etc/resolv.conf",
                within=names.within,
                setter=f"unix:{setter}",
            ) as daemon,
        ):
            # More than may be looked up at once.
            waiting = [_asking(finger, b"radix@forward.example\n") for _ in range(10)]
            waiting.append(_asking(finger, b"radix\n"))
            self.assertEqual(exchangeUnix(finger, b"moshez\n"), b"Happy and well\r\n")
            self.assertEqual(exchangeUnix(setter, b"moshez\nWriting\n"), b"OK\r\n")
            self.assertEqual(exchangeUnix(finger, b"moshez\n"), b"Writing\r\n")
            for connection in waiting:
                with connection:
                    self.assertTrue(connection.recv(1000).startswith(FAILED))
            said = exchangeUnix(finger, b"\n")
            self.assertTrue(
                said.startswith(b"moshez  Writing\r\n\r\n[source 2]\r\n" + FAILED), said
            )
            daemon.says("directory.example.* no connection within 2.5 seconds")


def _asking(path: Path, query: bytes) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(str(path))
    connection.sendall(query)
    return connection


def _resident(pid: int) -> int:
    """Its memory, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
