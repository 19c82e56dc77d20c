"""Pages as JSON, for programs."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.interfaces import IReactorTime

from fingerd.doors.web.web_form import Base, inSlices, moment, pathOf
from fingerd.model.reply import Reply
from fingerd.model.user import User


class JSONForm:
    """See L{fingerd.doors.web.web_form.Form}, and the schema in C{openapi.json}."""

    kind = b"application/json"

    def user(self, reply: Reply, base: Base, now: float) -> bytes:
        each = [_known(user, base) for user in reply.users]
        return _encoded(each[0] if len(each) == 1 else {"users": each})

    async def list(self, reply: Reply, base: Base, now: float, clock: IReactorTime) -> bytes:
        users = await inSlices(
            reply.users, lambda user: _encoded(_known(user, base)).rstrip(), clock
        )
        failures = [{"source": source, "error": words} for source, words in reply.failures]
        tail = b',\n"failures": ' + _encoded(failures).rstrip() if failures else b""
        return b'{"users": [\n' + b",\n".join(users) + b"\n]" + tail + b"}\n"

    def words(self, words: str, base: Base) -> bytes:
        return _encoded({"error": words})


def _known(user: User, base: Base) -> dict[str, Any]:
    """What is known of C{user}; the report of a source that lists others is nobody's."""
    known = {field: value for field, value in user._asdict().items() if value}
    known["statusSet"] = moment(user.statusSet) or None
    known["statusUntil"] = moment(user.statusUntil) or None
    if not user.report:
        known["url"] = base.url + pathOf(user.login)
    return {field: value for field, value in known.items() if value is not None}


def _encoded(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode("utf-8")
