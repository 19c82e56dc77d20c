"""The configuration file of ``twistd finger``."""

from __future__ import annotations

import dataclasses
import re
import tempfile
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fingerd.daemon.example import exampleText
from fingerd.daemon.option import GROUPS
from fingerd.daemon.option_table import OPTIONS
from fingerd.daemon.options import Options
from fingerd.model.errors import CannotStart
from fingerd.model.limits import DEFAULTS
from tests.support.daemon import ROOT, Daemon

EXAMPLE = ROOT / "etc/fingerd.toml.example"


class Written(SynchronousTestCase):
    """A test that writes files."""

    def config(self, text: str) -> str:
        """The path of a file with this text."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        Path(folder.name).chmod(0o755)
        path = Path(folder.name, "fingerd.toml")
        path.write_text(text)
        return str(path)


class ConfigTests(Written):
    """What a file says, and what the command line says beside it."""

    def parsed(self, text: str, *arguments: str) -> Options:
        """The options, with such a file and these of the command line."""
        options = Options()
        options.parseOptions([f"--config={self.config(text)}", *arguments])
        return options

    def test_everyKind(self) -> None:
        """Texts, lists, numbers, switches and limits: all are what the same options would be."""
        options = self.parsed(
            """
            [doors]
            listen = ["tcp:7979", "unix:/run/finger"]
            web = "tcp:8079"
            web-history = 0
            no-setter = true
            [directories]
            users = "/u"
            directory = ["none:"]
            reload = 0.5
            [views]
            no-list = true
            match = false
            user-fields = "plan"
            replace = ["a=b"]
            [statuses]
            history = 7
            [logs]
            log-peers = "masked"
            [limits]
            peerQueries = 5
            lookupTime = 1
            """
        )
        same = Options()
        same.parseOptions(
            [
                *("--listen=tcp:7979", "--listen=unix:/run/finger", "--web=tcp:8079"),
                *("--web-history=0", "--no-setter", "--users=/u", "--directory=none:"),
                *("--reload=0.5", "--no-list", "--user-fields=plan", "--replace=a=b"),
                *("--history=7", "--log-peers=masked"),
                *("--limit=peerQueries=5", "--limit=lookupTime=1"),
            ]
        )
        for option in OPTIONS:
            if option.name not in ("config", "limit"):
                self.assertEqual(options[option.name], same[option.name], option.name)
        self.assertEqual(options["limits"], same["limits"])
        self.assertEqual(options["rules"].views, same["rules"].views)
        self.assertFalse(options["rules"].listed)

    def test_withoutTables(self) -> None:
        """An option may also stand before all tables."""
        options = self.parsed('no-setter = true\nmask = ["root"]\n[views]\nno-list = true\n')
        self.assertEqual(options["mask"], ["root"])
        self.assertTrue(options["no-list"])

    def test_commandLineWins(self) -> None:
        """What the command line says of an option counts, and nothing that the file says of it."""
        text = """
            [doors]
            listen = ["tcp:1", "tcp:2"]
            setter = "tcp:3"
            [directories]
            directory = ["none:"]
            [logs]
            log-format = "json"
            """
        options = self.parsed(text, "--listen=tcp:4", "--users=/u", "--log-format=text")
        self.assertEqual(options["listen"], ["tcp:4"])
        self.assertEqual(options["directory"], ["file:/u"])
        self.assertEqual(options["log-format"], "text")
        self.assertEqual(options["setter"], ["tcp:3"])
        options = self.parsed(text, "--no-setter")
        self.assertEqual((options["setter"], options["listen"]), ([], ["tcp:1", "tcp:2"]))
        options = self.parsed("[doors]\nno-setter = true", "--setter=tcp:5")
        self.assertEqual(options["setter"], ["tcp:5"])

    def test_limits(self) -> None:
        """The command line changes the limits that it names, and the file's others stay."""
        limits = self.parsed(
            "[statuses]\nhistory = 3\n[limits]\npeerQueries = 5\nlookups = 6\n",
            "--no-setter",
            "--limit=peerQueries=7",
        )["limits"]
        self.assertEqual((limits.peerQueries, limits.lookups, limits.statusHistory), (7, 6, 3))

    def test_mistakes(self) -> None:
        """What makes no sense ends the start with a line that has the file, the key and a cure."""
        for text, words in (
            ("listn = 'tcp:79'", "there is no key listn; is it listen, in [doors]?"),
            ("[doors]\nlistn = 'x'", "there is no key doors.listn; is it listen, in [doors]?"),
            ("[door]\nlisten = 'x'", "there is no table [door]; is it [doors]?"),
            (
                "[limits]\npeerQuery = 3",
                "limit peerQuery=3: there is no limit called 'peerQuery'; is it peerQueries?",
            ),
            ("[limits]\npeerQueries = 'x'", "limit peerQueries=x: 'x' is not a whole number"),
            ("[views]\nuser = 'x'", "views.user: user belongs in the table [daemon]"),
            (
                "[views]\nno_list = true",
                "there is no key views.no_list; is it no-list, in [views]?",
            ),
            ("[views]\nno-list = 'yes'", "views.no-list is true or false"),
            ("[doors]\nlisten = [true]", "doors.listen: a text or a number is wanted"),
            ("[directories]\nreload = 'soon'", "reload soon: 'soon' is not a number of seconds"),
            ("listen = 'x'\n[doors]\nlisten = 'y'", "doors.listen is there twice"),
            ("config = 'x'", "config is for the command line only"),
            ("listen = ", "it isn't TOML: Invalid value"),
        ):
            path = self.config(text)
            said = str(self.assertRaises(CannotStart, self.started, path))
            self.assertTrue(said.startswith("twistd finger: "), said)
            self.assertIn(path, said)
            self.assertIn(words, said)
            self.assertNotIn("\n", said)
        said = str(self.assertRaises(CannotStart, self.started, "/none/such"))
        self.assertEqual(said, "twistd finger: --config /none/such: No such file or directory")

    def started(self, path: str) -> None:
        """Read this file."""
        Options().parseOptions([f"--config={path}", "--no-setter"])

    def test_daemon(self) -> None:
        """A daemon runs by it, and what can't be done is said by the name that the file has."""
        users = self.config("moshez:Happy and well\n")
        text = f"""
            [doors]
            listen = "tcp:0:interface=127.0.0.1"
            no-setter = true
            [directories]
            users = "{users}"
            """
        with Daemon("-n", "--pidfile=", "finger", f"--config={self.config(text)}", asRoot=True) as (
            daemon
        ):
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")
            self.assertIn("; setter off; ", daemon.startLine)
        path = self.config("[doors]\nlisten = '7979'\nno-setter = true")
        daemon = Daemon("-n", "--pidfile=", "finger", f"--config={path}", asRoot=True)
        self.addCleanup(daemon.__exit__)
        self.assertEqual(daemon.ended(), 1)
        self.assertEqual(
            daemon.log[0], f"twistd finger: {path}: listen 7979: a port is written tcp:7979"
        )


class ExampleTests(Written):
    """``etc/fingerd.toml.example``."""

    def test_made(self) -> None:
        """It is what the options come to: C{python -m fingerd.daemon.example} makes it anew."""
        self.assertEqual(EXAMPLE.read_text(), exampleText())

    def test_complete(self) -> None:
        """It has every option and every limit in its place, with its default, and can be used."""
        text = re.sub(r"^#(?=[\w-]+ = )", "", EXAMPLE.read_text(), flags=re.M)
        tables = tomllib.loads(text)
        self.assertEqual(list(tables), list(GROUPS))
        limits = tables.pop("limits")
        self.assertEqual(limits, dataclasses.asdict(DEFAULTS))
        said = {name: value for table in tables.values() for name, value in table.items()}
        self.assertEqual(
            sorted(said),
            sorted(each.name for each in OPTIONS if each.inFile and each.name != "limit"),
        )
        for option in OPTIONS:
            if option.default is not None:
                self.assertEqual(said[option.name], option.default, option.name)
        # All of it together can be used, where there is such a user.
        path = self.config(text.replace('user = "fingerd"', ""))
        options = Options()
        options.parseOptions([f"--config={path}", "--users=/u", "--setter=tcp:0"])
        self.assertEqual(options["limits"], DEFAULTS)

    def test_asItIs(self) -> None:
        """Copied as it is, it changes nothing."""
        plain, copied = Options(), Options()
        plain.parseOptions([])
        copied.parseOptions([f"--config={EXAMPLE}"])
        for option in OPTIONS:
            if option.name != "config":
                self.assertEqual(copied[option.name], plain[option.name], option.name)
