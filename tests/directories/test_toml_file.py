"""The TOML file: read again in a process of its own."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, LoopingCall

from fingerd.directories.toml.toml_file import TomlFile, fromURL
from fingerd.directories.toml.toml_format import records
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.user import User
from tests.directories.test_watched_file import FileCase
from tests.support.daemon import PATIENCE
from tests.support.ports import TIME, until

Read = Callable[[BinaryIO, int], Iterator[bytes]]

# A daemon with a TOML file. It tells its own and its reading process's number, becomes nobody if it
# is root, reloads for every line that it is sent, and tells the status of moshez after that.
DAEMON = """
import os, sys
from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineOnlyReceiver
from twisted.application.service import IServiceCollection
from fingerd.system import privileges
from fingerd.daemon.running import Daemon
from fingerd.directories.toml.toml_file import TomlFile

class Orders(LineOnlyReceiver):
    delimiter = b"\\n"

    def connectionMade(self):
        self.tell(os.getpid(), users._process._pid)

    def lineReceived(self, line):
        users.reload().addCallback(
            lambda _: users.getUser("moshez").addCallback(lambda user: self.tell(user.status))
        )

    def tell(self, *words):
        self.transport.write(" ".join(map(str, words)).encode() + b"\\n")

users = TomlFile(sys.argv[1], reactor, now=lambda: 0.0)
root = os.geteuid() == 0
identity = privileges.lesserUser("nobody") if root else privileges.Identity(None, None)
daemon = Daemon(identity)
users.setServiceParent(daemon)
daemon.privilegedStartService()
daemon.startService()
stdio.StandardIO(Orders())
reactor.run()
"""


def status(pid: int) -> dict[str, list[str]]:
    """What the system says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: words.split() for key, _, words in (line.partition(":") for line in lines)}


def children(pid: int) -> list[int]:
    """The processes below this one. One may end while it is looked at: nothing is below it then."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, found) for each in (child, *children(child))]


def isThere(pid: int) -> bool:
    """Whether there is such a process, and it hasn't ended."""
    try:
        return status(pid)["State"][0] != "Z"
    except OSError:
        return False


class TomlFileTests(FileCase):
    """Reading a TOML file, and reading it again."""

    timeout = PATIENCE

    def setUp(self) -> None:
        super().setUp()
        self.before = set(children(os.getpid()))
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.path.write_bytes(b"[moshez]\nstatus = 'Happy'\n")

    def start(self, read: Read = records, limits: Limits = DEFAULTS) -> TomlFile:
        """The directory, as a running daemon has it."""
        users = TomlFile(str(self.path), TIME, limits, now=lambda: self.now, read=read)
        users.startService()
        self.addCleanup(users.stopService)
        return users

    def processes(self) -> list[int]:
        """The processes that have been started for this test."""
        return [pid for pid in children(os.getpid()) if pid not in self.before]

    async def reloaded(self, read: Read, limits: Limits = DEFAULTS) -> TomlFile:
        """A directory whose file has changed and was read again in this way, in vain."""
        users = self.start(read, limits)
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        for _ in range(2):
            await users.reload()
        self.assertEqual(self.status(users), "Happy")
        return users

    def keptBecause(self, reason: str) -> None:
        """It was said once, in words, why the old users stay."""
        (said,) = self.said()
        self.assertEqual(
            said, f"{self.path} can't be read ({reason}): the users read before (1) stay"
        )

    def test_users(self) -> None:
        """It has the users of its file, in the order of the file, but those who are hidden."""
        self.path.write_bytes(
            b"[radix]\nname = 'Chris'\n[root]\nhidden = true\n[moshez]\nstatus = 'Happy'\n"
        )
        users = self.start()
        self.assertEqual(
            self.successResultOf(users.getUsers(10)),
            [User("radix", name="Chris"), User("moshez", status="Happy")],
        )
        self.assertEqual(len(users), 2)
        for login in ("root", "nobody"):
            self.assertIsNone(self.successResultOf(users.getUser(login)))
        self.assertEqual(self.said(), [])

    def test_skipped(self) -> None:
        """A user who is skipped is said to be so, and the others are served."""
        self.path.write_bytes(b"[a]\nfoo = 1\n[moshez]\nstatus = 'Happy'\n[-]\n")
        users = self.start()
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(
            self.said(),
            [
                f"{self.path}, user 'a': unknown key 'foo': skipped",
                f"{self.path}, user '-': no user can be called that: skipped",
            ],
        )

    def test_manySkipped(self) -> None:
        """A thousand users who are skipped don't fill the log."""
        self.path.write_bytes(b"".join(b"[a%d]\nfoo = 1\n" % n for n in range(1000)))
        self.start()
        said = self.said()
        self.assertEqual(len(said), 11)
        self.assertEqual(said[-1], f"{self.path}: 1000 users skipped")

    def test_cantStart(self) -> None:
        """A daemon whose file isn't TOML doesn't start, says where, and leaves no process."""
        self.path.write_bytes(b"[moshez]\nstatus Happy\n")
        error = self.assertRaises(CannotStart, self.start)
        self.assertEqual(
            str(error),
            f"can't read the users file {self.path}: "
            "Expected '=' after a key in a key/value pair (at line 2, column 8)",
        )
        self.path.unlink()
        error = self.assertRaises(CannotStart, self.start)
        self.assertIn("No such file", str(error))
        self.assertEqual(self.processes(), [])

    def test_noProcessToBeHad(self) -> None:
        """A daemon that isn't allowed another process doesn't start, and says so."""

        def refused() -> int:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        self.patch(os, "fork", refused)
        error = self.assertRaises(CannotStart, self.start)
        self.assertIn("can't start a process that reads files", str(error))
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.descriptors)

    # Each starts a process, or two.
    @settings(max_examples=settings().max_examples // 2)
    @given(st.binary(max_size=100))
    def test_anyFile(self, data: bytes) -> None:
        """A file with any bytes in it is read, or the reason why not is given in words."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            users = TomlFile(file.name, Clock())
            try:
                users.startService()
            except CannotStart as error:
                self.assertTrue(str(error).isprintable())
            else:
                users.stopService()

    async def test_change(self) -> None:
        """A change is taken over: who is new, who is gone, and who is hidden now."""
        users = self.start()
        self.path.write_bytes(b"[radix]\nstatus = 'Writing'\n[moshez]\nhidden = true\n")
        await users.reload()
        self.assertIsNone(self.status(users))
        self.assertEqual(self.status(users, "radix"), "Writing")
        self.path.write_bytes(b"[moshez]\nstatus = 'Back'\n")
        await users.reload()
        self.assertEqual(self.status(users), "Back")
        self.assertIsNone(self.status(users, "radix"))
        self.assertEqual(self.said(), [])

    async def test_manyUsers(self) -> None:
        """Many users come back in many pieces; until they are all there the old ones stay."""
        users = self.start()
        many = 3000
        self.path.write_bytes(
            b"".join(b"[u%d]\nplan = '''\n[u%d]\n%d'''\n" % (n, n, n) for n in range(many))
        )
        counts: list[int] = []
        counting = LoopingCall(lambda: counts.append(len(users)))
        counting.start(0)
        await users.reload()
        counting.stop()
        self.assertGreater(len(counts), 10)
        self.assertLessEqual(set(counts), {1, many})
        self.assertEqual(len(users), many)
        user = self.successResultOf(users.getUser(f"u{many - 1}"))
        self.assertEqual(user, User(f"u{many - 1}", plan=f"[u{many - 1}]\n{many - 1}"))

    async def test_readElsewhere(self) -> None:
        """The file is read in another process, which is gone when that is done."""

        def tells(file: BinaryIO, size: int) -> Iterator[bytes]:
            yield b"Umoshez\0\0%d" % os.getpid() + b"\0" * 6 + b"\xff.\xff"

        users = self.start(tells)
        (waiting,) = self.processes()
        self.path.write_bytes(b"[moshez]\n")
        await users.reload()
        self.assertNotIn(self.status(users), ("Happy", str(os.getpid()), str(waiting)))
        await until(lambda: self.processes() == [waiting])

    async def test_notTOML(self) -> None:
        """A file that isn't TOML any more keeps its users; it is said once, and where."""
        users = self.start()
        self.path.write_bytes(b"[moshez]\nstatus Busy\n")
        for _ in range(3):
            await users.reload()
        self.assertEqual(self.status(users), "Happy")
        self.keptBecause("Expected '=' after a key in a key/value pair (at line 2, column 8)")
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        await users.reload()
        self.assertEqual(self.status(users), "Busy")

    async def test_death(self) -> None:
        """A process that dies while it reads keeps the users."""

        def dies(file: BinaryIO, size: int) -> Iterator[bytes]:
            yield b"Umoshez\0\0Half" + b"\0" * 6 + b"\xff"
            os.kill(os.getpid(), signal.SIGKILL)

        await self.reloaded(dies)
        self.keptBecause("the process that reads it ended before it was done")

    async def test_garbage(self) -> None:
        """A process that sends something else, without end, keeps the users and is let go."""

        def babbles(file: BinaryIO, size: int) -> Iterator[bytes]:
            while True:
                yield b"\0\xffbla" * 1000

        await self.reloaded(babbles)
        self.keptBecause("what the process that reads it says makes no sense")
        await until(lambda: len(self.processes()) == 1)

    async def test_hang(self) -> None:
        """A process that says nothing for too long keeps the users, and is ended."""

        def hangs(file: BinaryIO, size: int) -> Iterator[bytes]:
            yield b"Umoshez\0\0Half" + b"\0" * 6 + b"\xff"
            while True:
                signal.pause()

        users = self.start(hangs, Limits(readingSilence=0.1))
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        await users.reload()
        self.assertEqual(self.status(users), "Happy")
        self.assertEqual(len(self.said()), 1)
        await until(lambda: len(self.processes()) == 1)

    async def test_stuck(self) -> None:
        """A process that can't even be ended in time is waited for no longer."""

        def stuck(file: BinaryIO, size: int) -> Iterator[bytes]:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(0.5)
            yield b"too late"

        await self.reloaded(stuck, Limits(readingSilence=0.1))
        self.keptBecause("the process that reads it has said nothing for 0.1 seconds")
        await until(lambda: len(self.processes()) == 1)

    async def test_patience(self) -> None:
        """A process that says a little now and then may take its time."""

        def slow(file: BinaryIO, size: int) -> Iterator[bytes]:
            for piece in (b"Umoshez", b"\0\0Bu", b"sy", b"\0" * 6, b"\xff", b".", b"\xff"):
                yield piece
                time.sleep(0.3)

        users = self.start(slow, Limits(readingSilence=1.5))
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        await users.reload()
        self.assertEqual(self.status(users), "Busy")

    async def test_noProcess(self) -> None:
        """Without the process that reads, the daemon goes on with the users that it has."""
        users = self.start()
        (waiting,) = self.processes()
        os.kill(waiting, signal.SIGKILL)
        await until(lambda: not isThere(waiting))
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        for _ in range(3):
            await users.reload()
        self.assertEqual(self.status(users), "Happy")
        self.keptBecause("the process that reads it is gone: only a restart brings it back")

    async def test_signals(self) -> None:
        """What is sent to all processes of a terminal doesn't end the one that reads."""
        users = self.start()
        (waiting,) = self.processes()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(waiting, number)
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        await users.reload()
        self.assertEqual(self.status(users), "Busy")

    async def test_nothingOfTheDaemons(self) -> None:
        """The process holds nothing open that is the daemon's, its ports for example."""
        users = self.start()
        (waiting,) = self.processes()
        # Once it has read a file, it has let go of all else.
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        await users.reload()
        descriptors = Path(f"/proc/{waiting}/fd")
        await until(lambda: len(list(descriptors.iterdir())) == 4)
        open_ = {int(path.name): os.readlink(path) for path in descriptors.iterdir()}
        self.assertEqual((open_.pop(0), open_.pop(1)), ("/dev/null", "/dev/null"))
        self.assertEqual(open_.pop(2), os.readlink("/proc/self/fd/2"))
        self.assertTrue(all(target.startswith("socket:") for target in open_.values()))

    async def test_stop(self) -> None:
        """A daemon that stops, also while it reads, leaves no process and nothing open."""
        for read in (True, False):
            users = self.start()
            self.path.write_bytes(b"[moshez]\n" + b"# nothing\n" * 100_000 * read)
            done: Deferred[Any] = users.reload() if read else users.getUsers(1)
            users.stopService()
            await done
            await until(lambda: self.processes() == [])
            self.assertEqual(len(os.listdir("/proc/self/fd")), self.descriptors)
        users.startService()
        await users.reload()
        users.stopService()
        self.assertEqual(self.said(), [])

    def test_fromURL(self) -> None:
        """``toml:/etc/fingerd/users.toml`` is the file with that path."""
        self.assertEqual(
            str(fromURL("/etc/fingerd/users.toml", Clock())), "/etc/fingerd/users.toml"
        )
        self.assertRaises(ValueError, fromURL, "", Clock())


class DaemonTests(FileCase):
    """A daemon of its own with a TOML file."""

    def setUp(self) -> None:
        super().setUp()
        self.path.parent.chmod(0o755)
        self.path.write_bytes(b"[moshez]\nstatus = 'Happy'\n")
        self.daemon = subprocess.Popen(
            [sys.executable, "-c", DAEMON, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(self.daemon.communicate)
        self.addCleanup(self.daemon.kill)
        assert self.daemon.stdout is not None
        self.pid, self.reading = map(int, self.daemon.stdout.readline().split())

    def reload(self) -> str:
        """Let the daemon reload; give the status of moshez."""
        assert self.daemon.stdin is not None and self.daemon.stdout is not None
        self.daemon.stdin.write(b"reload\n")
        self.daemon.stdin.flush()
        return self.daemon.stdout.readline().decode().strip()

    def test_lesserUser(self) -> None:
        """The process becomes the user that the daemon becomes, with no way back."""
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        self.assertEqual(self.reload(), "Busy")
        for field in ("Uid", "Gid", "Groups"):
            self.assertEqual(status(self.reading)[field], status(self.pid)[field])
        self.assertEqual(status(self.reading)["Uid"], ["65534"] * 4)
        self.assertEqual(int(status(self.reading)["CapEff"][0], 16), 0)

    async def test_killedDaemon(self) -> None:
        """When the daemon is killed, the process ends as well."""
        self.path.write_bytes(b"[moshez]\nstatus = 'Busy'\n")
        self.assertEqual(self.reload(), "Busy")
        self.daemon.kill()
        await until(lambda: not isThere(self.reading))
