"""Three real users, and a real daemon that has become a fourth."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import socket
import struct
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import PATIENCE, Daemon, needs, run
from tests.support.real_users import NOT_ROOT, acting, become, commonDirectory, makeUser

OK = b"OK\r\n"
NOT_YOURS = b"Not set: a user sets their own status only\r\n"


class WhoMaySetTests(SynchronousTestCase):
    """The setter of a daemon as an administrator starts it, on all its doors."""

    root: pwd.struct_passwd
    alice: pwd.struct_passwd
    bob: pwd.struct_passwd
    carol: pwd.struct_passwd

    @classmethod
    def setUpClass(cls) -> None:
        if os.geteuid() != 0:
            raise SkipTest(NOT_ROOT)
        cls.root = pwd.getpwuid(0)
        cls.alice, cls.bob, cls.carol = (
            makeUser(f"fd-{name}-", cls.addClassCleanup) for name in ("alice", "bob", "carol")
        )

    def setUp(self) -> None:
        folder = commonDirectory(self.addCleanup)
        self.socket = f"{folder}/set"
        users = Path(folder) / "users"
        self.everyone = [self.root, self.alice, self.bob]
        users.write_text("".join(f"{user.pw_name}:Here\n" for user in self.everyone))
        users.chmod(0o644)
        self.daemon = Daemon(
            "-n",
            "--pidfile=",
            "finger",
            "--listen=tcp:0:interface=127.0.0.1",
            f"--setter=unix:{self.socket}",
            "--setter=tcp:0:interface=127.0.0.1",
            "--setter=tcp6:0:interface=\\:\\:1",
            "--setter=tcp6:0:interface=\\:\\:",
            f"--users={users}",
            f"--user={self.carol.pw_name}",
            asRoot=True,
        )
        self.daemon.__enter__()
        self.addCleanup(self.daemon.__exit__)
        setters = self.daemon.startLine.partition("setter on ")[2].partition(";")[0].split(", ")
        self.port, port6, anyPort = (place.rpartition(":")[2] for place in setters[1:])
        self.doors = {
            "UNIX socket": ["-U", self.socket],
            "IPv4": ["127.0.0.1", self.port],
            "IPv6": ["::1", port6],
            "IPv4 to an IPv6 port": ["127.0.0.1", anyPort],
        }

    def set(self, by: pwd.struct_passwd, whose: pwd.struct_passwd, text: str, *door: str) -> bytes:
        """What the setter says to a netcat that ``by`` runs."""
        request = f"{whose.pw_name}\n{text}\n".encode()
        return run(*become(by), "nc", *door, stdin=request)

    def status(self, user: pwd.struct_passwd) -> str:
        """What everyone is told of a user."""
        return self.daemon.ask(user.pw_name.encode() + b"\r\n").decode().strip()

    def test_matrix(self) -> None:
        """
        Through every door, a user sets their own status and nobody else's, and root and the
        daemon's own user set anyone's; each change and each refusal is in the log.
        """
        needs("nc", "setpriv")
        changes = refusals = 0
        for door, way in self.doors.items():
            for by in [*self.everyone, self.carol]:
                for whose in self.everyone:
                    what = f"{by.pw_name} sets {whose.pw_name} by {door}"
                    before = self.status(whose)
                    said = self.set(by, whose, what, "-N", *way)
                    if by == whose or by in (self.root, self.carol):
                        changes += 1
                        self.assertEqual((said, self.status(whose)), (OK, what))
                    else:
                        refusals += 1
                        self.assertEqual((said, self.status(whose)), (NOT_YOURS, before), what)
        # Until then its last lines may still be on their way.
        self.daemon.signal(signal.SIGTERM)
        self.daemon.ended()
        log = "\n".join(self.daemon.log)
        self.assertEqual((changes, refusals), (32, 16))
        self.assertEqual(log.count("status of '"), changes)
        self.assertEqual(log.count(f": {NOT_YOURS.decode().strip()}"), refusals)
        self.assertNotIn("sets", log.replace(" a user sets their own", ""))
        for by in self.everyone:
            who = f"by uid {by.pw_uid} ({by.pw_name})"
            self.assertIn(f"status of {by.pw_name!r} set {who} on {self.socket}", log)
            self.assertIn(f"status of {by.pw_name!r} set {who} on 127.0.0.1:", log)
            self.assertIn(f"status of {by.pw_name!r} set {who} on [::1]:", log)

    def test_withoutHalfClose(self) -> None:
        """So it is for a plain nc, which never closes its sending side."""
        needs("nc", "setpriv")
        for way in self.doors.values():
            self.assertEqual(self.set(self.alice, self.alice, "Mine", *way), OK)
            self.assertEqual(self.set(self.alice, self.bob, "Not mine", *way), NOT_YOURS)
        self.assertEqual((self.status(self.alice), self.status(self.bob)), ("Mine", "Here"))

    def closesAtOnce(
        self, by: pwd.struct_passwd, whose: pwd.struct_passwd, *, unix: bool, reset: bool = False
    ) -> str:
        """
        What is in the log of a client that has gone as soon as it has sent its lines.
        """
        with acting(by):
            client = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
            client.settimeout(PATIENCE)
            client.connect(self.socket if unix else ("127.0.0.1", int(self.port)))
            client.sendall(f"{whose.pw_name}\nBy {by.pw_name}\n".encode())
            where = self.socket if unix else f"127.0.0.1:{client.getsockname()[1]}"
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        return self.daemon.says(rf"(refused|set by).* on {where}\b.*").group()

    def test_unixClosesAtOnce(self) -> None:
        """On the UNIX socket, a client that closes right after sending is told apart as well."""
        said = self.closesAtOnce(self.alice, self.alice, unix=True)
        self.assertIn(f"set by uid {self.alice.pw_uid} ({self.alice.pw_name})", said)
        self.assertEqual(self.status(self.alice), f"By {self.alice.pw_name}")
        self.closesAtOnce(self.alice, self.bob, unix=True)
        self.daemon.says(f"refused uid {self.alice.pw_uid} .*, for '{self.bob.pw_name}': ")
        self.assertEqual(self.status(self.bob), "Here")

    def test_tcpClosesAtOnce(self) -> None:
        """
        On TCP such a client is told apart or refused, as the daemon was in time or not, and is
        never taken for root.
        """
        who = f"uid {self.alice.pw_uid} ({self.alice.pw_name})"
        for number in range(8):
            own = self.closesAtOnce(self.alice, self.alice, unix=False, reset=number % 2 == 1)
            self.assertTrue(f"set by {who}" in own or "refused someone unknown" in own, own)
            other = self.closesAtOnce(self.alice, self.bob, unix=False, reset=number % 2 == 1)
            self.assertTrue(f"refused {who}" in other or "refused someone unknown" in other, other)
        self.assertEqual(self.status(self.bob), "Here")
        self.assertNotIn("uid 0", "".join(line for line in self.daemon.log if "status of" in line))

    def test_realClientsThatCloseAtOnce(self) -> None:
        """So it is with bash, which sends and closes without waiting for an answer."""
        needs("bash", "setpriv")
        for user in (self.alice, self.bob) * 4:
            request = f"{self.bob.pw_name}\\nBy {user.pw_name}\\n"
            command = f"printf '{request}' > /dev/tcp/127.0.0.1/{self.port}"
            run(*become(user), "bash", "-c", command)
        # What was sent before is dealt with before.
        self.assertEqual(self.set(self.root, self.root, "End", "-N", *self.doors["IPv4"]), OK)
        changes = [line for line in self.daemon.log if f"status of '{self.bob.pw_name}'" in line]
        for line in changes:
            self.assertIn(f"set by uid {self.bob.pw_uid} ({self.bob.pw_name}) on", line)
        self.assertIn(self.status(self.bob), ("Here", f"By {self.bob.pw_name}"))

    def connect(self, by: pwd.struct_passwd, *, unix: bool) -> socket.socket:
        """A connection that ``by`` has made."""
        with acting(by):
            client = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
            self.addCleanup(client.close)
            client.settimeout(PATIENCE)
            client.connect(self.socket if unix else ("127.0.0.1", int(self.port)))
        return client

    def test_oneHoldsMany(self) -> None:
        """
        A user who holds as many connections as they can get takes nobody else's: who has begun to
        ask before may end it, and who comes later is let in.
        """
        for unix in True, False:
            begun = self.connect(self.bob, unix=unix)
            begun.sendall(f"{self.bob.pw_name}\n".encode())
            held = []
            for _ in range(600):
                # (Who is closed at once may hear of it before they know that they were connected.)
                with contextlib.suppress(ConnectionResetError):
                    held.append(self.connect(self.alice, unix=unix))
            # When the last one is told something, or closed, all of them have been let in or not.
            with contextlib.suppress(OSError):
                held[-1].sendall(f"{self.alice.pw_name}\nBusy\n".encode())
                held[-1].recv(100)
            begun.sendall(b"Here all the time\n")
            self.assertEqual(begun.recv(100), OK)
            later = self.connect(self.bob, unix=unix)
            later.sendall(f"{self.bob.pw_name}\nHere again\n".encode())
            self.assertEqual(later.recv(100), OK)
            self.assertEqual(self.status(self.bob), "Here again")
            for client in held:
                client.close()

    def test_oneSetsMany(self) -> None:
        """
        A user who sets very many statuses is refused after some tens, and nobody else is. Each
        change is a line of the log; of the refusals some are, and at the stop the others are
        summed up.
        """
        said = []
        for _ in range(150):
            client = self.connect(self.alice, unix=True)
            client.sendall(f"{self.alice.pw_name}\nBusy\n".encode())
            said.append(client.recv(100))
            client.close()
        tooMany = b"Not set: too many statuses in a minute, try again later\r\n"
        self.assertEqual(set(said), {OK, tooMany})
        self.assertEqual(said[:60], [OK] * 60)
        for other in self.bob, self.root:
            door = self.doors["UNIX socket"]
            self.assertEqual(self.set(other, other, "Busy", "-N", *door), OK)
        self.daemon.signal(signal.SIGTERM)
        self.daemon.ended()
        log = "\n".join(self.daemon.log)
        who = f"uid {self.alice.pw_uid} ({self.alice.pw_name})"
        self.assertEqual(
            log.count(f"] status of {self.alice.pw_name!r} set by {who}"), said.count(OK)
        )
        refused = log.count(f"] refused uid {self.alice.pw_uid} ")
        self.assertLess(refused, 41)
        more = re.findall(r"] (\d+) more lines like this one: refused", log)
        self.assertEqual(refused + sum(map(int, more)), said.count(tooMany))

    def test_noAccount(self) -> None:
        """A user without an account is refused in words."""
        nameless = pwd.struct_passwd(["", "", 0x7FFFFFF0, 0x7FFFFFF0, "", "", ""])
        for way in self.doors.values():
            said = self.set(nameless, self.alice, "Hello", "-N", *way)
            self.assertEqual(said, b"Not set: whoever is asking has no account here\r\n")
        self.assertEqual(self.status(self.alice), "Here")
