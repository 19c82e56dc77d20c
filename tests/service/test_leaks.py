"""Nothing that the views hide reaches a door, whoever asks and however."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.model.fields import ALWAYS, Field, Fields, Views
from fingerd.model.limits import DEFAULTS
from fingerd.model.masking import Mask
from fingerd.model.record import Setter
from fingerd.model.reply import Reply
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.text.cleaning import clean
from fingerd.text.replacing import Replacements
from tests.support.ports import Directory
from tests.support.service import Finger

ROOT = Setter(0, "root", "nowhere")
# Each field has a text that is nowhere else, with what could harm a terminal and a word to replace.
SECRETS = {
    field: f"{field.value.lower()}-of-this-user\x1b[2J\u202e Microsoft"
    for field in Field
    if field is not Field.LOGIN
}
USER, MASKED = User("moshez"), User("masked")
for secret, text in SECRETS.items():
    USER = USER._replace(**{secret.value: text})  # type: ignore[arg-type]
    MASKED = MASKED._replace(**{secret.value: "of-the-masked-user"})  # type: ignore[arg-type]
FIELDS = st.frozensets(st.sampled_from(Field)).map(ALWAYS.union)
QUERIES = (b"moshez", b"/W moshez", b"", b"/W", b"moshez masked", b"masked", b"Microsoft")


class Known(Directory):
    """A directory that knows both users."""

    def __init__(self) -> None:
        users = {user.login: user for user in (USER, MASKED)}
        super().__init__(lambda login: succeed(users.get(login)))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed([USER, MASKED])


def texts(value: object) -> Iterator[str]:
    """Every text that a door can reach from a reply."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Reply):
        for slot in Reply.__slots__:
            yield from texts(getattr(value, slot))
    elif isinstance(value, dict):
        for each in (*value.keys(), *value.values()):
            yield from texts(each)
    elif hasattr(value, "__iter__") and not isinstance(value, bytes):
        for each in value:
            yield from texts(each)


class LeakTests(SynchronousTestCase):
    """What a reply holds is what may be shown."""

    @given(FIELDS, FIELDS, FIELDS, st.booleans(), st.booleans())
    def test_views(
        self, listed: Fields, one: Fields, verbose: Fields, matched: bool, isSet: bool
    ) -> None:
        """
        Whatever the views hide, no text of it is in a reply; what is there is clean, replaced, and
        never a masked user's.
        """
        rules = Rules(
            views=Views(listed, one, verbose),
            mask=Mask(["masked"]),
            replacements=Replacements([("Microsoft", "It")]),
            matched=matched,
        )
        finger = Finger(Clock(), [Known()], None, DEFAULTS, rules)
        if isSet:
            self.successResultOf(finger.setUser("moshez", "set Microsoft", ROOT))
        for query in QUERIES:
            reply = self.successResultOf(finger.asked(query))
            fields = {b"": listed, b"/W": verbose, b"/W moshez": verbose}.get(query, one)
            said = [text for text in texts(reply) if text not in list(Field)]
            for text in said:
                self.assertEqual(clean(text), text)
                self.assertNotIn("of-the-masked-user", text)
                if text not in (query.decode(), *query.decode().split()):
                    self.assertNotIn("Microsoft", text)
            for field in SECRETS:
                seen = any(f"{field.value.lower()}-of-this-user" in text for text in said)
                self.assertFalse(seen and field not in fields, (query, field))

    def test_seen(self) -> None:
        """What the views do show is there: the test above can fail."""
        everything = frozenset(Field)
        rules = Rules(views=Views(everything, everything, everything))
        finger = Finger(Clock(), [Known()], None, DEFAULTS, rules)
        for query in (b"moshez", b"/W", b""):
            said = list(texts(self.successResultOf(finger.asked(query))))
            for field in SECRETS:
                self.assertTrue(
                    any(f"{field.value.lower()}-of-this-user" in text for text in said), field
                )
