"""How programs end, and how many run at once."""

from __future__ import annotations

import os
import select
import signal

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults

from fingerd.model.errors import DirectoryError
from fingerd.model.user import User
from fingerd.system import child
from tests.support.programs import Fifo, ProgramTestCase, Readable, children, openDescriptors


class _Taken(Readable):
    """A descriptor on which nothing happens, and what the reactor says happens there."""

    def __init__(self) -> None:
        self.events: list[str] = []
        descriptor, self._other = os.pipe()
        super().__init__(descriptor)

    def doRead(self) -> None:
        self.events.append("readable")

    def connectionLost(self, reason: object) -> None:
        self.events.append("lost")

    def close(self) -> None:
        super().connectionLost(None)
        os.close(self._other)


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

    async def test_numbersTakenAgain(self) -> None:
        """
        Who is given the number of a pipe's descriptor is not given what was the pipe's: a client
        that connects in the moment in which a program ends doesn't lose its connection.
        """
        go = self.fifo()
        program = child.Child([self.program(f"read go <{go.path}")], reactor, 1000)
        program.output.addErrback(lambda failure: failure.trap(CancelledError))
        taken: list[_Taken] = []

        def close() -> None:
            for end in taken:
                end.close()

        def take() -> None:
            program.output.cancel()
            taken.extend(_Taken() for _ in range(20))

        self.addCleanup(close)
        # What comes first in the reactor's list, since it is ready first: the program ends later.
        first, second = os.pipe()
        self.addCleanup(os.close, second)
        ready = Readable(first)
        os.write(second, b"x")
        go.say(b"\n")
        ready.found.addCallback(lambda _: take())
        go.say(b"\n")
        # The reactor stands still until the program has ended: it finds all of it at once.
        os.waitid(os.P_PID, program._process.pid, os.WEXITED | os.WNOWAIT)
        await program.gone
        self.assertEqual([end.events for end in taken], [[]] * 20)

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

    async def test_becameAnother(self) -> None:
        """
        A program that can't be killed, since it has become another user, isn't waited for
        either; the log says so, and its turn is over when it is.
        """
        fifo, said = self.fifo(), self.said()

        def killed(group: int, number: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        patch = self.patch(os, "killpg", killed)
        path = self.program(f"[ $2 = quick ] || {{ echo $$ >{fifo.path}; exec sleep 1000; }}")
        users = self.users(path, programsAtOnce=1)
        asked, waits = users.getUser("slow"), users.getUser("quick")
        pid = int(await fifo.line())
        over = self.over(pid)
        asked.cancel()
        await self.assertFailure(asked, CancelledError)
        [line] = said
        self.assertIn(f"process {pid}, can't be killed: Operation not permitted", line)
        self.assertNoResult(waits)
        patch.restore()
        os.kill(pid, signal.SIGKILL)
        await over
        self.assertIsNone(await waits)

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
        before, beside = await openDescriptors(), children()
        await gatherResults([users.getUser("moshez") for _ in range(50)])
        self.assertEqual(await openDescriptors(), before)
        self.assertEqual(children(), beside)


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

    async def test_leavesBeforeStart(self) -> None:
        """A lookup that nobody waits for before its program was even started keeps no turn."""
        fifo, go = self.fifo(), self.fifo()
        path = self.program(f"echo >{fifo.path}; read go <{go.path}; echo here")
        users = self.users(path, programsAtOnce=2)
        first, second, third = (users.getUser("moshez") for _ in range(3))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        await fifo.line()
        await fifo.line()
        go.say(b"\n\n")
        here = User("moshez", report="here")
        self.assertEqual(await gatherResults([first, third]), [here, here])

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
