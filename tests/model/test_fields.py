"""What is shown in which view."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.fields import ALL, ALWAYS, Field, Views, parseFields, parseViews
from fingerd.model.user import User


class ParseFieldsTests(SynchronousTestCase):
    """The words of a field list."""

    def test_words(self) -> None:
        """Fields are named as finger(1)'s users know them, in any case and with any spaces."""
        expected = ALWAYS | {Field.STATUS, Field.OFFICE_PHONE}
        for text in (
            "status,office-phone",
            " Status , OFFICE-PHONE ",
            "office_phone,status",
            "name,login,status,office-phone,",
        ):
            self.assertEqual(parseFields(text), expected, text)

    def test_nameAndLogin(self) -> None:
        """The full name and the login are there without being named (RFC 1288 2.5.2)."""
        self.assertEqual(parseFields("plan"), {Field.LOGIN, Field.NAME, Field.PLAN})

    def test_all(self) -> None:
        """``all`` is every field, those that the daemon tells nobody by itself included."""
        self.assertEqual(parseFields("all"), ALL)

    def test_unknown(self) -> None:
        """A field that there isn't is refused in words that say which there are."""
        for text in ("status,shoe-size", "all,shoe-size"):
            error = self.assertRaises(ValueError, parseFields, text)
            self.assertEqual(
                str(error),
                "'shoe-size' is not a field; there are login, name, status, office, "
                "office-phone, home-phone, project, plan, public-key, all",
            )

    def test_none(self) -> None:
        """A list that names no field is a mistake, and not the wish to show none."""
        for text in ("", " ", ","):
            self.assertIn(
                "no field is named", str(self.assertRaises(ValueError, parseFields, text))
            )

    def test_everyField(self) -> None:
        """All that is known of a user is a field, but what isn't text of its own."""
        known = set(User._fields) - {"statusSet", "statusUntil", "report"}
        self.assertEqual({field.value for field in Field}, known)


class ViewsTests(SynchronousTestCase):
    """The three views."""

    def test_default(self) -> None:
        """
        The list has login, name and status; one user all but the public key, which /W adds. The
        home phone is told to nobody by itself.
        """
        views = Views()
        self.assertEqual(views.list, {Field.LOGIN, Field.NAME, Field.STATUS})
        self.assertEqual(ALL - views.user, {Field.HOME_PHONE, Field.PUBLIC_KEY})
        self.assertEqual(ALL - views.verbose, {Field.HOME_PHONE})
        self.assertEqual(parseViews(), views)

    def test_eachOption(self) -> None:
        """Each option sets its own view."""
        views = parseViews(list="office", user="plan", verbose="all")
        self.assertEqual(views.list, ALWAYS | {Field.OFFICE})
        self.assertEqual(views.user, ALWAYS | {Field.PLAN})
        self.assertEqual(views.verbose, ALL)
        self.assertEqual(views.ofOne(verbose=False), views.user)
        self.assertEqual(views.ofOne(verbose=True), views.verbose)

    def test_verboseTellsNoMore(self) -> None:
        """A field that was taken out of the view of one user isn't told by /W instead."""
        self.assertEqual(parseViews(user="status").verbose, ALWAYS | {Field.STATUS})
        self.assertEqual(parseViews(list="status").verbose, Views().verbose)

    def test_whichOption(self) -> None:
        """A mistake is told with the option that has it."""
        error = self.assertRaises(ValueError, parseViews, None, "office,plam")
        self.assertTrue(str(error).startswith("--user-fields office,plam: 'plam' is not a field"))

    def test_nameCantBeSwitchedOff(self) -> None:
        """The full name is in every view (RFC 1288 2.5.1, 2.5.2)."""
        views = Views(frozenset(), frozenset({Field.PLAN}), frozenset())
        for view in (views.list, views.user, views.verbose):
            self.assertLessEqual({Field.NAME, Field.LOGIN}, view)

    def test_withoutPlan(self) -> None:
        """The plan can be turned off by itself, in every view (RFC 1288 2.5.2)."""
        views = parseViews(list="plan,status", user="all", verbose="all").withoutPlan()
        self.assertEqual(views.list, ALWAYS | {Field.STATUS})
        self.assertEqual(views.user, ALL - {Field.PLAN})
        self.assertEqual(views.verbose, ALL - {Field.PLAN})
