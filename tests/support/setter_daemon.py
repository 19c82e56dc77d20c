"""
A daemon for the tests, run by ``twistd -noy``: anyone may be asked for and set, and all it has is
in the directory that the environment variable HOME_OF_TEST names.
"""

import os
from dataclasses import replace

from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fingerd.daemon.upkeep import Daemon, StartLine, whereOf
from fingerd.doors.net.listening import Listener, endpoint
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS
from fingerd.model.user import User
from fingerd.stores.postgresql.postgresql_store import PostgreSQLStore
from fingerd.stores.sqlite import SQLiteStore
from fingerd.system import privileges
from tests.support.service import Finger

home = os.environ["HOME_OF_TEST"]
sockets = os.path.join(home, os.environ["SOCKETS_OF_TEST"])
# All that was acknowledged is looked for, however much it is.
limits = replace(DEFAULTS, statusHistory=1_000_000, planHistory=1_000_000, statusesRefresh=0.05)


@implementer(IDirectory)
class Everyone:
    """Has any user."""

    def getUser(self, login: str) -> Deferred[User | None]:
        return succeed(User(login))

    def getUsers(self, limit: int) -> Deferred[list[User]]:
        return succeed([])


identity = privileges.lesserUser("nobody" if os.geteuid() == 0 else None)
database = os.environ["DATABASE_OF_TEST"]
statuses = (
    PostgreSQLStore(database, reactor, limits)
    if database
    else SQLiteStore(os.path.join(home, "state"), reactor, identity, limits)
)
finger = Finger(reactor, [Everyone()], statuses, limits)
queries = Listener(
    "queries", endpoint(reactor, f"unix:{sockets}/finger"), finger.getFingerFactory()
)
setter = Listener(
    "setter", endpoint(reactor, f"unix:{sockets}/set"), finger.getFingerSetterFactory()
)

line = StartLine(finger, [whereOf(queries)], [whereOf(setter)])
application = Application("setter")
daemon = Daemon(identity)
daemon.setServiceParent(application)
for part in (finger, queries, setter, line):
    part.setServiceParent(daemon)
