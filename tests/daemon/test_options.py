"""The options of ``twistd finger``, and what they come to."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from fingerd import __version__
from fingerd.daemon.option import GROUPS
from fingerd.daemon.option_table import OPTIONS
from fingerd.daemon.options import Options
from fingerd.model.errors import CannotStart
from fingerd.model.fields import Field


def parsed(*arguments: str) -> Options:
    """The options, as a command line has them."""
    options = Options()
    options.parseOptions(["--no-setter", *arguments])
    return options


class OptionsTests(SynchronousTestCase):
    """What options come to."""

    def rules(self, *arguments: str) -> Any:
        """The rules that a command line makes."""
        return parsed(*arguments)["rules"]

    def test_directories(self) -> None:
        """Directories are asked in their order, and --users is one more way to name a file."""
        self.assertEqual(
            parsed("--directory=none:", "--users=/u", "--directory=passwd:")["directory"],
            ["none:", "file:/u", "passwd:"],
        )

    def test_fields(self) -> None:
        """Plans can be turned off on their own, in every view."""
        views = self.rules("--user-fields=plan,status").views
        self.assertEqual(views.user, {Field.LOGIN, Field.NAME, Field.PLAN, Field.STATUS})
        self.assertNotIn(Field.PLAN, self.rules("--no-plan", "--user-fields=plan").views.user)
        self.assertNotIn(Field.PLAN, self.rules("--no-plan").views.verbose)

    def test_rules(self) -> None:
        """Without options there is a list, nobody is matched or made, and owners set."""
        rules = self.rules()
        self.assertTrue(rules.listed)
        self.assertFalse(rules.matched or rules.setting.create or rules.setting.anyone)
        rules = self.rules("--no-list", "--match", "--create", "--set-policy=anyone", "--mask=a")
        self.assertFalse(rules.listed)
        self.assertTrue(rules.matched and rules.setting.create and rules.setting.anyone)
        self.assertTrue(rules.mask.hides("a"))

    def test_state(self) -> None:
        """A daemon in which nobody sets a status keeps none, unless it is told where."""
        self.assertIsNone(parsed()["state"])
        self.assertEqual(parsed("--state=/s")["state"], "/s")

    def test_mistakes(self) -> None:
        """What makes no sense ends the start with one line, which says what it was."""
        for argument, words in (
            ("--setter=tcp:0", "exclude each other"),
            ("--replace=x", "--replace x: it takes OLD=NEW"),
            ("--mask=a b", "--mask a b: no user can be called that"),
            ("--list-fields=shoe-size", "--list-fields shoe-size: 'shoe-size' is not a field"),
            ("--set-policy=some", "--set-policy some: it is owner or anyone"),
            ("--history=many", "--history many: 'many' is not a whole number above 0"),
            ("--history=0", "'0' is not a whole number above 0"),
            ("--reload=soon", "--reload soon: 'soon' is not a number of seconds above 0"),
            ("--reload=0", "'0' is not a number of seconds above 0"),
            ("--reload=nan", "'nan' is not a number of seconds above 0"),
            ("--web-history=x", "--web-history x: 'x' is not a whole number above 0"),
            ("--log-peers=some", "--log-peers some: it is full, masked or none"),
            ("--limit=peerQueries=x", "--limit peerQueries=x: 'x' is not a whole number above 0"),
            ("--limit=peerQuery=9", "there is no limit called 'peerQuery'; is it peerQueries?"),
            ("--nonsense", "nonsense"),
            ("moshez", "'moshez'"),
        ):
            said = str(self.assertRaises(CannotStart, parsed, argument))
            self.assertIn(words, said)
            self.assertNotIn("\n", said)

    def test_otherOptions(self) -> None:
        """Every option of the program is one of the table: none has a way of its own."""
        names = {name.rstrip("=") for name in Options().longOpt}
        self.assertEqual(names, {option.name for option in OPTIONS} | {"help", "version"})
        self.assertEqual({option.group for option in OPTIONS}, set(GROUPS))


class HelpTests(SynchronousTestCase):
    """C{twistd finger --help} and C{--version}."""

    def said(self, option: str) -> str:
        """What is printed before the program ends well."""
        with redirect_stdout(io.StringIO()) as printed:
            end = self.assertRaises(SystemExit, Options().parseOptions, [option])
        self.assertEqual(end.code, 0)
        return printed.getvalue()

    def test_help(self) -> None:
        """The help has every option with its value, in its group, on a terminal of 80 columns."""
        text = self.said("--help")
        self.assertLessEqual(max(map(len, text.split("\n"))), 79)
        places = [text.index(f"\n{heading}:\n") for heading in GROUPS.values()]
        self.assertEqual(places, sorted(places))
        for option in OPTIONS:
            place = text.index(f"\n  --{option.name} {option.value}".rstrip())
            heading = places[list(GROUPS).index(option.group)]
            self.assertGreater(place, heading, option.name)
        self.assertIn("office-phone", text)
        self.assertEqual(text.count("\n  twistd -n finger "), 2)

    def test_version(self) -> None:
        """The version is the daemon's own, and Twisted's."""
        self.assertRegex(self.said("--version"), rf"^fingerd {__version__}, Twisted \d")
