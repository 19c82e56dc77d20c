"""Users that a program knows: what it is asked, how it answers and how it fails."""

from __future__ import annotations

import os
import resource
import sys

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fingerd.directories.program import ProcessUsers, fromURL
from fingerd.model.interfaces import IVerboseDirectory
from fingerd.model.limits import Limits
from fingerd.model.user import User, isLogin
from fingerd.text import cleaning
from tests.support.programs import ProgramTestCase, children, openDescriptors
from tests.support.service import Finger
from tests.support.written_log import WrittenLog


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
        self.assertEqual(cleaning.clean(report), "[2Jhello")

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
        service = Finger(reactor, [users])
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

    async def test_manyComplaints(self) -> None:
        """
        A program that says something else of every login doesn't fill the log: it is counted what
        more it said.
        """
        written = WrittenLog(self, Limits(repeatsLogged=3))
        users = self.users(self.program('echo here; echo "careful, $2" >&2'))
        for number in range(8):
            await users.getUser(f"user{number}")
        self.assertEqual(len(written.lines()), 3)
        [line] = written.sums()
        self.assertIn("5 more lines like this one: ", line)

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

        before, beside = await openDescriptors(), children()
        patch = self.patch(os, "pidfd_open", full)
        asked = users.getUser("moshez")
        patch.restore()
        self.assertIn("Too many open files", await self.reason(asked))
        self.assertEqual(await openDescriptors(), before)
        self.assertEqual(children(), beside)


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
