"""Programs and servers that fail, seen through the real daemon."""

from __future__ import annotations

import re
from contextlib import ExitStack

from tests.daemon.sources import (
    Misbehaving,
    WithFolder,
    endless,
    ends,
    over,
    refusing,
    resets,
    silent,
    slow,
)


class FailingTests(WithFolder):
    """Who asks is told in time that it failed, and the log says why."""

    def test_failingServers(self) -> None:
        """
        A server that is down, silent, endless, slow or breaks off is said to have failed, and one
        line of the log says how.
        """
        with ExitStack() as servers:
            for url, reason in (
                (refusing(self), "connection refused"),
                (servers.enter_context(Misbehaving(silent)), "no whole answer within 0.5 seconds"),
                (servers.enter_context(Misbehaving(endless)), "more than 262144 bytes of answer"),
                (servers.enter_context(Misbehaving(slow)), "no whole answer within 0.5 seconds"),
                (servers.enter_context(Misbehaving(resets)), "connection lost after"),
            ):
                short = ("--limit=upstreamTime=0.5",) if "0.5" in reason else ()
                with over(url, options=short) as daemon:
                    for query in (b"moshez\n", b"\n"):
                        said = daemon.ask(query)
                        self.assertTrue(said.startswith(b"Internal error in server\r\nRef"), reason)
                    daemon.says(re.escape(f"{url}: ") + ".*" + re.escape(reason))
                # (What more there were is summed up at the stop.)
                told = [line for line in daemon.log if reason in line and " more lines" not in line]
                self.assertEqual(len(told), 1, daemon.log)

    def test_failingPrograms(self) -> None:
        """A program that fails in any way is said to have failed, never "no such user"."""
        for text, reason in (
            ("sleep 1000", "took longer than 0.5 seconds"),
            ("kill -SEGV $$", "was ended by SIGSEGV"),
            ("echo Secret; exit 3", "ended with exit status 3"),
            ("echo broken >&2", "had no answer, saying 'broken'"),
        ):
            short = ("--limit=programTime=0.5",) if "0.5" in reason else ()
            with over(self.program(text), options=short) as daemon:
                said = daemon.ask(b"moshez\n")
                self.assertTrue(said.startswith(b"Internal error in server\r\nRef"), (text, said))
                daemon.says(re.escape(reason))
                self.assertEqual(sum(reason in line for line in daemon.log), 1)
        with over(f"exec:{self.folder}/missing") as daemon:
            self.assertTrue(daemon.ask(b"moshez\n").startswith(b"Internal error in server\r\n"))
            daemon.says("can't be run: No such file or directory")

    def test_wildPrograms(self) -> None:
        """One that leaves its output to another process, or floods, has an answer all the same."""
        with over(self.program("sleep 1000 & echo $!")) as daemon:
            left = int(daemon.ask(b"moshez\n"))
            self.assertTrue(ends(left), "what it left behind is alive")
        with over(self.program("while :; do echo and so on; done")) as daemon:
            said = daemon.ask(b"moshez\n")
            self.assertTrue(said.startswith(b"and so on\r\n"))
            self.assertLessEqual(len(said), 262144)
