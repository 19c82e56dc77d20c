"""The real daemon, and the real clients."""

from __future__ import annotations

from tests.support.daemon import needs, needsRoot, run
from tests.support.network import Network
from tests.support.with_users import WithUsers


class ClientTests(WithUsers):
    """What the real clients show."""

    def test_netcat(self) -> None:
        """Debian's netcat asks, with and without half-close, and sets a status."""
        needs("nc")
        with self.tac() as daemon:
            for query in (b"moshez\n", b"moshez\r\n", b"moshez"):
                answer = run("nc", "-N", "localhost", str(daemon.port), stdin=query)
                self.assertEqual(answer, b"Happy and well\r\n")
            answer = run("nc", "localhost", str(daemon.port), stdin=b"moshez\n")
            self.assertEqual(answer, b"Happy and well\r\n")
            for option in ([], ["-N"]):
                said = run(
                    "nc", *option, "localhost", str(daemon.setterPort), stdin=b"moshez\nBusy\n"
                )
                self.assertEqual(said, b"OK\r\n")
            self.assertEqual(daemon.ask(b"moshez\n"), b"Busy\r\n")

    def test_ncat(self) -> None:
        """Ncat, which half-closes, gets its answer."""
        needs("ncat")
        with self.tac() as daemon:
            answer = run("ncat", "localhost", str(daemon.port), stdin=b"moshez\n")
            self.assertEqual(answer, b"Happy and well\r\n")

    def test_nmap(self) -> None:
        """nmap's finger script shows the list, and its version scan recognises a finger port."""
        needs("nmap")
        with self.tac() as daemon:
            port = str(daemon.port)
            shown = run("nmap", "-Pn", "-n", "-p", port, "--script", "+finger", "127.0.0.1")
            self.assertIn(b"moshez  Happy and well", shown)
            shown = run("nmap", "-Pn", "-n", "-p", port, "-sV", "--version-light", "127.0.0.1")
            self.assertIn(f"{port}/tcp open".encode(), shown)
            self.assertEqual(daemon.ask(b"moshez\n"), b"Happy and well\r\n")
            self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_finger(self) -> None:
        """finger(1) shows a user, the list, and both in its long form."""
        needsRoot()
        needs("finger")
        with Network() as network, self.tac(True, network.inside, FINGER_PORT=""):
            for option in ([], ["-l"]):
                shown = network.run("finger", *option, "moshez@localhost")
                self.assertEqual(shown, b"Happy and well\n")
                shown = network.run("finger", *option, "@localhost")
                self.assertEqual(shown, b"moshez  Happy and well\nradix   Writing\n")
            self.assertIn(b"No such user", network.run("finger", "nobody@localhost"))
            self.assertIn(
                b"Finger forwarding service denied",
                network.run("finger", "a@example.com@localhost"),
            )

    def test_lynx(self) -> None:
        """Lynx shows a user, with the last line too."""
        needsRoot()
        needs("lynx")
        with Network() as network, self.tac(True, network.inside, FINGER_PORT=""):
            shown = network.run("lynx", "-dump", "finger://localhost/radix")
            self.assertIn(b"Writing", shown)
            self.assertIn(b"a web server", shown)
            self.assertIn(
                b"Happy and well", network.run("lynx", "-dump", "finger://localhost/moshez/w")
            )
