"""Users that a program knows: programs that behave, and programs that don't."""

from __future__ import annotations

import os
import resource
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from fingerd import answer, child
from fingerd.directories.process import FINGER, ProcessUsers, fromURL
from fingerd.interfaces import DirectoryError, IVerboseDirectory
from fingerd.limits import Limits
from fingerd.service import FingerService
from fingerd.user import User, isLogin


class Readable:
    """Calls back once the reactor finds that a descriptor can be read, and closes it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.found: Deferred[None] = Deferred(lambda _: self.connectionLost(None))
        reactor.addReader(self)  # type: ignore[arg-type]

    def fileno(self) -> int:
        return self.descriptor

    def logPrefix(self) -> str:
        return "Readable"

    def doRead(self) -> None:
        self.connectionLost(None)
        self.found.callback(None)

    def connectionLost(self, reason: object) -> None:
        reactor.removeReader(self)  # type: ignore[arg-type]
        os.close(self.descriptor)


class Fifo:
    """Where programs and a test tell each other what they are at, a line at a time."""

    def __init__(self, path: str) -> None:
        os.mkfifo(path)
        self.path = path
        # Open for both, it has no end, and nobody waits for the other to open it.
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.heard: bytes = b""

    async def line(self) -> str:
        """The next line that a program says."""
        while b"\n" not in self.heard:
            await Readable(os.dup(self.descriptor)).found
            self.heard += os.read(self.descriptor, 4096)
        line, self.heard = self.heard.split(b"\n", 1)
        return str(line, "utf-8")

    def say(self, data: bytes) -> None:
        os.write(self.descriptor, data)


class ProgramTestCase(TestCase):
    """Has programs, and a directory that asks one."""

    timeout = 30

    def path(self) -> str:
        """The path of a file that isn't there yet."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        return os.path.join(directory, "file")

    def program(self, script: str, mode: int = 0o755, interpreter: str = "/bin/sh") -> str:
        path = self.path()
        with open(path, "w") as file:
            file.write(f"#!{interpreter}\n{script}\n")
        os.chmod(path, mode)
        return path

    def fifo(self) -> Fifo:
        fifo = Fifo(self.path())
        self.addCleanup(os.close, fifo.descriptor)
        return fifo

    def users(
        self, path: str, *arguments: str, verboseOption: str | None = None, **limits: Any
    ) -> ProcessUsers:
        limits.setdefault("programTime", 20.0)
        users = ProcessUsers(
            [path, *arguments], reactor, Limits(**limits), verboseOption=verboseOption
        )
        self.addCleanup(users.stopService)
        return users

    def asking(self, script: str, **limits: Any) -> Deferred[User | None]:
        """What a directory says of moshez, where its program is this script."""
        return self.users(self.program(script), **limits).getUser("moshez")

    async def report(self, script: str, **limits: Any) -> str:
        user = await self.asking(script, **limits)
        assert user is not None
        return user.report

    async def reason(self, asked: Deferred[Any]) -> str:
        """The words with which a lookup fails."""
        return str(await self.assertFailure(asked, DirectoryError))

    def said(self) -> list[str]:
        """The log, from now on."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_namespace"].startswith("fingerd"):
                lines.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return lines

    def over(self, pid: int) -> Deferred[None]:
        """Fires when a process that runs now does no longer."""

        def end(_: object) -> None:
            if not over.called:
                os.kill(pid, signal.SIGKILL)

        over = Readable(os.pidfd_open(pid)).found
        self.addCleanup(end, None)
        return over

    def assertRuns(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(select.select([descriptor], [], [], 0)[0], [])


class AskingTests(ProgramTestCase):
    """What a program is asked, and how its answers are understood."""

    def test_interface(self) -> None:
        """It is a directory that has more to tell on request."""
        verifyObject(IVerboseDirectory, self.users("/bin/true"))

    async def test_user(self) -> None:
        """What the program writes is the user's report."""
        user = await self.asking('echo "Happy and well"; echo "  and at home"')
        self.assertEqual(user, User("moshez", report="Happy and well\n  and at home"))

    async def test_arguments(self) -> None:
        """A login is the last argument, behind "--"; the verbose option comes before that."""
        path = self.program("printf '<%s>' \"$@\"")
        users = self.users(path, "a b", "$HOME", verboseOption="-l")
        found = await gatherResults([users.getUser("moshez"), users.getVerboseUser("moshez")])
        listed = await gatherResults([users.getUsers(10), users.getVerboseUsers(10)])
        self.assertEqual(
            [user.report for user in found if user],
            ["<a b><$HOME><--><moshez>", "<a b><$HOME><-l><--><moshez>"],
        )
        self.assertEqual(
            [user.report for users in listed for user in users],
            ["<a b><$HOME>", "<a b><$HOME><-l>"],
        )

    async def test_noVerboseOption(self) -> None:
        """A program without a verbose option is asked the same either way."""
        users = self.users(self.program('echo "$@"'))
        self.assertEqual(await users.getUser("moshez"), await users.getVerboseUser("moshez"))

    async def test_list(self) -> None:
        """The program's list is one report, under a name that no user can have."""
        path = self.program("echo moshez; echo radix")
        [listed] = await self.users(path).getUsers(10)
        self.assertEqual(listed.report, "moshez\nradix")
        self.assertIn(os.path.basename(path), listed.login)
        self.assertFalse(isLogin(listed.login))

    async def test_label(self) -> None:
        """The administrator can say under which name."""
        path = self.program("echo moshez")
        users = ProcessUsers([path], reactor, label="the office")
        self.assertEqual(await users.getUsers(10), [User("the office", report="moshez")])

    async def test_noList(self) -> None:
        """A program that lists nothing adds nothing; a list of no users doesn't ask it."""
        self.assertEqual(await self.users(self.program("")).getUsers(10), [])
        self.assertEqual(await self.users(self.program("echo moshez")).getUsers(0), [])

    async def test_notALogin(self) -> None:
        """What isn't a plain login is no user, and reaches no program."""
        ran = self.path()
        users = self.users(self.program(f"touch {ran}; echo here"))
        odd = ["", "-l", "--", ".", "..", "../root", "/etc/passwd", "a/b", "a@b", "a b", "a;b"]
        odd += ["$(id)", "`id`", "a|b", "a\nb", "a\n", "a\0b", "a\x1bb", "é", "a%s", "x" * 256]
        for login in odd:
            self.assertIsNone(await users.getUser(login), repr(login))
            self.assertIsNone(await users.getVerboseUser(login), repr(login))
        self.assertFalse(os.path.exists(ran))
        for login in ("moshez", "m.z", "m-z_9", "_www", "9lives", "x" * 255):
            self.assertEqual(await users.getUser(login), User(login, report="here"))

    async def test_surroundings(self) -> None:
        """A program has nothing of the daemon's: no variable, no descriptor, no session."""
        script = """
import os, sys
print(sorted(v for v in os.environ if v != "LC_CTYPE"), os.environ["LC_ALL"], os.getcwd())
print(repr(sys.stdin.read()))
print([d for d in range(256) if os.path.exists(f"/proc/self/fd/{d}")])
print(os.getsid(0) == os.getpgid(0) == os.getpid())
"""
        theirs, ours = os.pipe()
        self.addCleanup(os.close, theirs)
        self.addCleanup(os.close, ours)
        os.set_inheritable(ours, True)
        path = self.program(script, interpreter=f"{sys.executable} -I")
        self.patch(os, "environ", {**os.environ, "SECRET": "1"})
        user = await self.users(path).getUser("moshez")
        self.assertEqual(
            user and user.report.split("\n"),
            ["['LC_ALL', 'PATH'] C.UTF-8 /", "''", "[0, 1, 2]", "True"],
        )

    async def test_text(self) -> None:
        """Lines may end in CR LF, and what isn't UTF-8 is replaced."""
        report = await self.report(r"printf 'caf\303\251\r\n\377ok\r\n'")
        self.assertEqual(report, "café\n\ufffdok")

    async def test_escapes(self) -> None:
        """What would drive a reader's terminal doesn't get through an answer."""
        report = await self.report(r"printf '\033[2Jhello\007\302\233'")
        self.assertEqual(answer.clean(report), "[2Jhello")

    async def test_nobody(self) -> None:
        """A program that has no word to say of a user doesn't know them."""
        self.assertIsNone(await self.asking("exit 0"))
        self.assertIsNone(await self.asking("echo; echo '  '"))

    async def test_noSuchUser(self) -> None:
        """So it is in finger(1)'s way, and nothing of that goes into the log."""
        said = self.said()
        self.assertIsNone(await self.asking('echo "finger: $2: no such user." >&2'))
        self.assertEqual(said, [])

    async def test_overlaid(self) -> None:
        """A service finds the users of a program."""
        users = ProcessUsers([self.program("echo here")], reactor)
        service = FingerService(reactor, [users])
        service.startService()
        self.addCleanup(service.stopService)
        self.assertEqual(await service.getUser("moshez"), User("moshez", report="here"))


class StandardErrorTests(ProgramTestCase):
    """What a program says beside its answer."""

    async def test_beside(self) -> None:
        """It goes into the log, on one line, escaped; the answer isn't touched."""
        said = self.said()
        script = r"echo here; printf 'one\033[2J\ntwo\n' >&2"
        self.assertEqual(await self.report(script), "here")
        [line] = said
        self.assertIn(r"'one\x1b[2J; two'", line)

    async def test_bounded(self) -> None:
        """The log gets the start of it."""
        said = self.said()
        script = "echo here; head -c 5000 /dev/zero | tr '\\0' x >&2"
        self.assertEqual(await self.report(script, programErrors=20), "here")
        [line] = said
        self.assertTrue(line.endswith(f"saying {'x' * 20!r}"), line)

    async def test_once(self) -> None:
        """What is said with every answer is in the log once."""
        said = self.said()
        users = self.users(self.program("echo here; echo careful >&2"))
        for _ in range(3):
            await users.getUser("moshez")
        self.assertEqual(len(said), 1)

    async def test_alone(self) -> None:
        """A program that only complains has failed, whatever its exit status."""
        reason = await self.reason(self.asking("echo can\\'t reach the office >&2"))
        self.assertIn("can't reach the office", reason)

    async def test_flood(self) -> None:
        """A program that writes to it without end is ended, and has failed."""
        reason = await self.reason(self.asking("yes >&2", programOutput=4096))
        self.assertIn("'y; y; y", reason)
        self.assertLess(len(reason), 1000)


class FailureTests(ProgramTestCase):
    """Programs that fail: that is never "no such user"."""

    async def test_exitStatus(self) -> None:
        """An exit status is said with what the program complains of; its text isn't used."""
        reason = await self.reason(self.asking("echo here; printf 'no\\007 disk' >&2; exit 3"))
        self.assertTrue(reason.endswith(r" ended with exit status 3, saying 'no\x07 disk'"), reason)

    async def test_silentExitStatus(self) -> None:
        """So it is where the program says nothing at all, or that there is no such user."""
        self.assertIn("exit status 1", await self.reason(self.asking("exit 1")))
        reason = await self.reason(self.asking("echo no such user >&2; exit 2"))
        self.assertIn("exit status 2", reason)

    async def test_signal(self) -> None:
        """Death by a signal is said with the signal's name, where it has one."""
        reason = await self.reason(self.asking("echo here; kill -SEGV $$"))
        self.assertIn("was ended by SIGSEGV", reason)
        reason = await self.reason(self.asking("kill -40 $$"))
        self.assertIn("was ended by signal 40", reason)

    async def test_missing(self) -> None:
        """A program that isn't there, and one whose interpreter isn't."""
        reason = await self.reason(self.users("/no/such/program").getUser("moshez"))
        self.assertEqual(reason, "/no/such/program can't be run: No such file or directory")
        path = self.program("", interpreter="/no/such/shell")
        reason = await self.reason(self.users(path).getUsers(10))
        self.assertIn("No such file or directory", reason)

    async def test_notExecutable(self) -> None:
        """A file that may not be executed, a directory, and what is no program."""
        path = self.program("echo here", mode=0o644)
        self.assertIn("Permission denied", await self.reason(self.users(path).getUser("a")))
        self.assertIn("Permission denied", await self.reason(self.users("/usr").getUser("a")))
        path = self.path()
        with open(path, "w") as file:
            file.write("neither this nor that")
        os.chmod(path, 0o755)
        self.assertIn("Exec format error", await self.reason(self.users(path).getUser("a")))

    async def test_comesBack(self) -> None:
        """A program that is put in place is found, without a restart."""
        path = self.path()
        users = self.users(path, programsAtOnce=1)
        await self.reason(users.getUser("moshez"))
        os.rename(self.program("echo here"), path)
        self.assertEqual(await users.getUser("moshez"), User("moshez", report="here"))

    async def test_saidAtStart(self) -> None:
        """That a program can't be run is said when the daemon starts, which it does."""
        said = self.said()
        self.users("/bin/true").startService()
        self.assertEqual(said, [])
        self.users("/no/such/program").startService()
        self.assertEqual(said, ["/no/such/program can't be run by this daemon's user"])

    async def test_noDescriptors(self) -> None:
        """Out of descriptors, the lookup fails; with some free again, the next one doesn't."""
        users = self.users(self.program("echo here"), programsAtOnce=1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            asked = users.getUser("moshez")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertIn("Too many open files", await self.reason(asked))
        self.assertEqual(await users.getUser("moshez"), User("moshez", report="here"))

    async def test_lastDescriptor(self) -> None:
        """A program that runs before the descriptors are out is ended."""
        fifo = self.fifo()
        users = self.users(self.program(f"echo $$ >{fifo.path}; exec sleep 1000"))

        def full(pid: int) -> int:
            raise OSError(24, "Too many open files")

        before = set(os.listdir("/proc/self/fd"))
        patch = self.patch(os, "pidfd_open", full)
        asked = users.getUser("moshez")
        patch.restore()
        self.assertIn("Too many open files", await self.reason(asked))
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)


class EndTests(ProgramTestCase):
    """However a program ends, nothing of it is left."""

    # Tells the test its process number and that of a process of its own, which keeps its
    # standard output open.
    _FAMILY = "sleep 1000 & echo $$ $! >{fifo}; "

    async def family(self, fifo: Fifo) -> list[Deferred[None]]:
        """The ends of a program and of what it has started."""
        return [self.over(int(pid)) for pid in (await fifo.line()).split()]

    async def test_hangs(self) -> None:
        """A program that doesn't answer in time is ended, with all that it has started."""
        fifo = self.fifo()
        asked = self.asking(self._FAMILY.format(fifo=fifo.path) + "wait", programTime=0.5)
        ends = await self.family(fifo)
        self.assertIn("took longer than 0.5 seconds", await self.reason(asked))
        await gatherResults(ends)

    async def test_deaf(self) -> None:
        """So is one that won't hear of it."""
        fifo = self.fifo()
        script = "trap '' TERM INT HUP PIPE; " + self._FAMILY.format(fifo=fifo.path)
        asked = self.asking(script + "while :; do wait; sleep 1; done", programTime=0.5)
        ends = await self.family(fifo)
        await self.reason(asked)
        await gatherResults(ends)

    async def test_silentlyHangs(self) -> None:
        """So is one that has closed its standard output, but hasn't ended."""
        asked = self.asking("echo here; exec >&- 2>&-; sleep 1000", programTime=0.5)
        self.assertIn("took longer", await self.reason(asked))

    async def test_leavesBehind(self) -> None:
        """
        A program's end is the answer's, also where something that it has started keeps its
        standard output open: that is ended too.
        """
        fifo, go = self.fifo(), self.fifo()
        script = self._FAMILY.format(fifo=fifo.path) + f"read go <{go.path}; echo here"
        asked = self.asking(script)
        ends = await self.family(fifo)
        go.say(b"\n")
        self.assertEqual(await asked, User("moshez", report="here"))
        await gatherResults(ends)

    async def test_failsAndLeavesBehind(self) -> None:
        """So it is where the program fails."""
        fifo, go = self.fifo(), self.fifo()
        script = self._FAMILY.format(fifo=fifo.path) + f"read go <{go.path}; exit 1"
        asked = self.asking(script)
        ends = await self.family(fifo)
        go.say(b"\n")
        await self.reason(asked)
        await gatherResults(ends)

    async def test_outOfReach(self) -> None:
        """What has moved to a session of its own lives on, but isn't waited for."""
        fifo = self.fifo()
        script = f"echo here; setsid sh -c 'echo $$ >{fifo.path}; exec sleep 1000' & "
        go = self.fifo()
        asked = self.asking(script + f"read go <{go.path}")
        pid = int(await fifo.line())
        over = self.over(pid)
        go.say(b"\n")
        self.assertEqual(await asked, User("moshez", report="here"))
        self.assertRuns(pid)
        os.kill(pid, signal.SIGKILL)
        await over

    async def test_flood(self) -> None:
        """A program that writes without end is ended; the start of it is the answer."""
        fifo = self.fifo()
        said = self.said()
        asked = self.asking(f"echo $$ >{fifo.path}; exec yes", programOutput=1000)
        over = self.over(int(await fifo.line()))
        user = await asked
        await over
        assert user is not None
        self.assertTrue(user.report.startswith("y\ny\n"))
        self.assertTrue(user.report.endswith("\n(cut: a program writes 1000 bytes at most)"))
        self.assertLess(len(user.report), 1100)
        [line] = said
        self.assertIn("wrote more than 1000 bytes", line)

    async def test_bigAnswer(self) -> None:
        """An answer as long as any may be is whole; one byte more is cut."""
        script = "head -c {} /dev/zero | tr '\\0' x"
        report = await self.report(script.format(200_000), programOutput=200_000)
        self.assertEqual(report, "x" * 200_000)
        report = await self.report(script.format(200_001), programOutput=200_000)
        self.assertEqual(report.partition("\n")[0], "x" * 200_000)
        self.assertIn("(cut:", report)

    async def test_lastWords(self) -> None:
        """What a program writes before it ends is in the answer, however busy the daemon is."""
        self.patch(child, "_PIECE", 1000)
        fifo = self.fifo()
        asked = self.asking(f"head -c 50000 /dev/zero | tr '\\0' x; echo $$ >{fifo.path}")
        # Nothing else is done here until the program has ended.
        select.select([fifo.descriptor], [], [])
        ended = os.pidfd_open(int(os.read(fifo.descriptor, 100)))
        self.addCleanup(os.close, ended)
        select.select([ended], [], [])
        self.assertEqual(await asked, User("moshez", report="x" * 50_000))

    async def test_clientLeaves(self) -> None:
        """A lookup that nobody waits for any more ends its program."""
        fifo = self.fifo()
        asked = self.asking(self._FAMILY.format(fifo=fifo.path) + "wait")
        ends = await self.family(fifo)
        asked.cancel()
        await self.assertFailure(asked, CancelledError)
        await gatherResults(ends)

    async def test_daemonStops(self) -> None:
        """No program outlives the daemon, and none that waits for its turn is run."""
        fifo = self.fifo()
        path = self.program(self._FAMILY.format(fifo=fifo.path) + "wait")
        users = self.users(path, programsAtOnce=1)
        users.startService()
        asked = [users.getUser("moshez"), users.getUser("radix")]
        ends = await self.family(fifo)
        await users.stopService()
        for lookup in asked:
            await self.assertFailure(lookup, CancelledError)
        await gatherResults(ends)
        self.assertEqual(fifo.heard, b"")

    async def test_nothingIsLeft(self) -> None:
        """Many runs leave no descriptor and no process."""
        users = self.users(self.program("echo here"))
        await users.getUser("moshez")
        before = set(os.listdir("/proc/self/fd"))
        await gatherResults([users.getUser("moshez") for _ in range(50)])
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        self.assertRaises(ChildProcessError, os.waitpid, -1, os.WNOHANG)


class TurnsTests(ProgramTestCase):
    """How many programs run, and how many wait."""

    async def test_atOnce(self) -> None:
        """No more programs run at once than may; the others have their turn after them."""
        fifo, go = self.fifo(), self.fifo()
        script = f"echo + >{fifo.path}; read go <{go.path}; echo - >{fifo.path}; echo here"
        users = self.users(self.program(script), programsAtOnce=2)
        asked = gatherResults([users.getUser("moshez") for _ in range(6)])
        self.assertEqual([await fifo.line(), await fifo.line()], ["+", "+"])
        go.say(b"\n" * 6)
        self.assertEqual(await asked, [User("moshez", report="here")] * 6)
        running, most = 2, 2
        for _ in range(10):
            running += {"+": 1, "-": -1}[await fifo.line()]
            most = max(most, running)
        self.assertEqual((running, most), (0, 2))

    async def test_queue(self) -> None:
        """A lookup for which there is no place to wait fails at once."""
        go = self.fifo()
        path = self.program(f"read go <{go.path}; echo here")
        users = self.users(path, programsAtOnce=1, programsWaiting=2)
        asked = [users.getUser("moshez") for _ in range(3)]
        refused = self.failureResultOf(users.getUser("moshez"), DirectoryError)
        self.assertIn("1 of it run already, and 2 wait", refused.getErrorMessage())
        go.say(b"\n" * 3)
        self.assertEqual(await gatherResults(asked), [User("moshez", report="here")] * 3)

    async def test_noQueue(self) -> None:
        """Where none may wait, those that find a free turn are answered."""
        users = self.users(self.program("echo here"), programsAtOnce=1, programsWaiting=0)
        asked = users.getUser("moshez")
        self.failureResultOf(users.getUser("moshez"), DirectoryError)
        self.assertEqual(await asked, User("moshez", report="here"))
        self.assertEqual(await users.getUser("moshez"), User("moshez", report="here"))

    async def test_leavesQueue(self) -> None:
        """A lookup that nobody waits for leaves the queue, and its place is another's."""
        go = self.fifo()
        path = self.program(f'read go <{go.path}; echo "$2"')
        users = self.users(path, programsAtOnce=1, programsWaiting=1)
        first, second = users.getUser("first"), users.getUser("second")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        third = users.getUser("third")
        go.say(b"\n\n")
        self.assertEqual(await first, User("first", report="first"))
        self.assertEqual(await third, User("third", report="third"))

    async def test_freesTurn(self) -> None:
        """A program that was ended makes room for the next."""
        fifo = self.fifo()
        path = self.program(f'[ "$2" = quick ] || {{ echo >{fifo.path}; sleep 1000; }}; echo here')
        users = self.users(path, programsAtOnce=1)
        slow, quick = users.getUser("slow"), users.getUser("quick")
        await fifo.line()
        slow.cancel()
        self.failureResultOf(slow, CancelledError)
        self.assertEqual(await quick, User("quick", report="here"))

    async def test_waitCounts(self) -> None:
        """The wait for a turn counts as time that a lookup takes."""
        users = self.users(self.program("sleep 1000"), programsAtOnce=1, programTime=0.5)
        asked = [users.getUser("first"), users.getUser("second")]
        for lookup in asked:
            self.assertIn("took longer than 0.5 seconds", await self.reason(lookup))

    async def test_queueFails(self) -> None:
        """A program that is taken away under a long queue fails each lookup for itself."""
        go = self.fifo()
        path = self.program(f'read go <{go.path}; rm "$0"; echo here')
        users = self.users(path, programsAtOnce=1, programsWaiting=1000)
        first = users.getUser("moshez")
        rest = DeferredList([users.getUser("moshez") for _ in range(1000)], consumeErrors=True)
        go.say(b"\n")
        self.assertEqual(await first, User("moshez", report="here"))
        reasons = {str(result) for _, result in await rest}
        [reason] = reasons
        self.assertIn(f"{path} can't be run: No such file or directory", reason)


class URLTests(SynchronousTestCase):
    """The directory that an administrator names: C{exec:} and the program."""

    def test_finger(self) -> None:
        """finger(1) is kept from matching by real names, unless it is asked to."""
        self.assertEqual(str(fromURL("/usr/bin/finger", reactor)), "/usr/bin/finger -m")
        self.assertEqual(str(fromURL("/usr/bin/finger -p", reactor)), "/usr/bin/finger -m -p")
        self.assertEqual(str(fromURL("/usr/bin/finger", reactor, match=True)), "/usr/bin/finger")

    def test_arguments(self) -> None:
        """Any other program has the arguments that it is given, quoted as for a shell."""
        users = fromURL("/opt/who --site 'Main Street'", reactor)
        self.assertEqual(str(users), "/opt/who --site 'Main Street'")

    def test_nonsense(self) -> None:
        """What can't be meant is refused in words."""
        for rest, words in (
            ("", "no program is named"),
            ("   ", "no program is named"),
            ("finger", "'finger' is not a program's absolute path"),
            ("./finger", "'./finger' is not a program's absolute path"),
            ("'/usr/bin/finger", "can't be split into arguments: No closing quotation"),
            ("/usr/bin/finger \\", "can't be split into arguments: No escaped character"),
            ("/usr/bin/finger --", "leave '--' out"),
            ("/usr/bin/finger\0", "NUL"),
        ):
            refusal = self.assertRaises(ValueError, fromURL, rest, reactor)
            self.assertIn(words, str(refusal))


class FingerTestCase(ProgramTestCase):
    """Has the real finger(1)."""

    if not os.path.exists(FINGER[0]):
        skip = "there is no /usr/bin/finger"

    def finger(self, match: bool = False) -> ProcessUsers:
        users = fromURL(FINGER[0], reactor, match=match)
        self.addCleanup(users.stopService)
        return users


class FingerTests(FingerTestCase):
    """The real finger(1)."""

    async def test_unknown(self) -> None:
        """A user that finger(1) doesn't know is no such user, and nothing is logged."""
        said = self.said()
        self.assertIsNone(await self.finger().getUser("no-such-user-here"))
        self.assertIsNone(await self.finger().getVerboseUser("no-such-user-here"))
        self.assertEqual(said, [])

    async def test_known(self) -> None:
        """A user that it knows is reported in its own words."""
        user = await self.finger().getUser("root")
        assert user is not None
        self.assertRegex(user.report, r"\ALogin: root +\t+Name: ")

    async def test_list(self) -> None:
        """Its list is a report."""
        [listed] = await self.finger().getUsers(10)
        self.assertEqual(listed.login, "the program finger")
        self.assertRegex(listed.report, r"\A(Login +Name|No one logged on)")

    async def test_wrongOption(self) -> None:
        """An option that it doesn't have is a failure, in its words."""
        users = self.users(FINGER[0], "-Z")
        reason = await self.reason(users.getUser("root"))
        self.assertIn("ended with exit status 1, saying ", reason)
        self.assertIn("invalid option -- 'Z'", reason)


class AccountTests(FingerTestCase):
    """The real finger(1), and an account made for the test."""

    if os.geteuid() != 0:
        skip = "only root can make accounts"

    def setUp(self) -> None:
        self.login = f"fd{secrets.token_hex(6)}"
        self.name = f"Q{secrets.token_hex(6)}"
        gecos = f"{self.name} Dent,Room 42"
        subprocess.run(["useradd", "--create-home", "--comment", gecos, self.login], check=True)
        self.addCleanup(
            subprocess.run, ["userdel", "--remove", self.login], check=True, capture_output=True
        )
        self.home = os.path.expanduser(f"~{self.login}")

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.home, name), "w") as file:
            file.write(text)

    async def test_account(self) -> None:
        """The account's full name, office and plan are reported, verbose or not."""
        self.write(".plan", "Don't panic, déjà vu\n")
        user = await self.finger().getUser(self.login)
        assert user is not None
        self.assertIn(f"Name: {self.name} Dent\n", user.report)
        self.assertIn("Office: Room 42", user.report)
        self.assertTrue(user.report.endswith("Plan:\nDon't panic, déjà vu"))
        self.assertEqual(await self.finger().getVerboseUser(self.login), user)

    async def test_realName(self) -> None:
        """A real name finds nobody, unless that was asked for."""
        self.assertIsNone(await self.finger().getUser(self.name))
        user = await self.finger(match=True).getUser(self.name)
        assert user is not None
        self.assertIn(f"Login: {self.login}", user.report)

    async def test_noFinger(self) -> None:
        """A user who doesn't want to be fingered from elsewhere is no such user."""
        self.write(".nofinger", "")
        self.assertIsNone(await self.finger().getUser(self.login))

    async def test_longPlan(self) -> None:
        """Of a plan longer than any answer, the start is reported."""
        self.write(".plan", "Don't panic\n" * 50_000)
        user = await self.finger().getUser(self.login)
        assert user is not None
        self.assertIn("Plan:\nDon't panic\n", user.report)
        self.assertTrue(user.report.endswith("(cut: a program writes 262144 bytes at most)"))
