"""
A process that begins as root, becomes another user for good, and asks a C{passwd:} directory:
``python -m tests.support.lesser USER URL LOGIN...``. It writes its answers in JSON, a list: a user,
null, ``{"error": "..."}``, or for an empty LOGIN the list of users.
"""

from __future__ import annotations

import json
import pwd
import sys
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import react

from fingerd.directories.accounts.passwd import fromURL
from fingerd.model.errors import DirectoryError
from fingerd.model.user import HIDDEN
from fingerd.system import privileges


async def ask(reactor: object, user: str, url: str, *logins: str) -> None:
    """Ask for all these logins, and write what comes back."""
    directory = fromURL(url, cast(IReactorTime, reactor))
    directory.privilegedStartService()
    if user != "root":
        entry = pwd.getpwnam(user)
        privileges.become(privileges.Identity(entry.pw_uid, entry.pw_gid))
    directory.startService()
    answers: list[Any] = []
    for login in logins:
        try:
            if login:
                found = await directory.getUser(login)
                answers.append("hidden" if found is HIDDEN else found and found._asdict())
            else:
                answers.append([user._asdict() for user in await directory.getUsers(5000)])
        except DirectoryError as error:
            answers.append({"error": str(error)})
    await directory.stopService()
    json.dump(answers, sys.stdout)


def _main(reactor: object, *arguments: str) -> Deferred[None]:
    return Deferred.fromCoroutine(ask(reactor, *arguments))


if __name__ == "__main__":
    react(_main, sys.argv[1:])
