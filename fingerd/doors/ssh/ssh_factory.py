"""What the connections of an ssh port share: who may come in, and who may log in."""

from __future__ import annotations

from collections.abc import Callable

from twisted.conch.interfaces import IConchUser
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.service import SSHService
from twisted.cred.portal import IRealm, Portal
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from zope.interface import Interface, implementer

from fingerd.doors.net.visited import IVisitedFactory
from fingerd.doors.ssh.key_checker import KeyChecker
from fingerd.doors.ssh.ssh_login import SSHLogin
from fingerd.doors.ssh.ssh_performing import Performer
from fingerd.doors.ssh.ssh_session import Connection, SSHUser
from fingerd.doors.ssh.ssh_transport import SSHTransport
from fingerd.model.interfaces import IRemoteSetterService
from fingerd.model.limits import Limits
from fingerd.model.visiting import IVisit
from fingerd.system.addresses import hostOf, peerOf
from fingerd.system.deadlines import Deadlines


@implementer(IVisitedFactory, IRealm)
class SSHFactory(ServerFactory[SSHTransport]):
    """
    Makes the connections of an ssh port.

    @ivar visits: where their clients are let in.
    @ivar clock: the reactor.
    @ivar portal: says who somebody is. conch looks for it here.
    @ivar publicKeys: the host key by its kind, and C{privateKeys}: conch looks for them here.
    """

    noisy = False

    def __init__(self, service: IRemoteSetterService, limits: Limits, clock: IReactorTime) -> None:
        self.service = service
        self.visits = service.remoteSetters
        self.limits = limits
        self.clock = clock
        self.performer = Performer(service, limits)
        self.portal = Portal(self, [KeyChecker(service.keysOf)])
        self.publicKeys: dict[bytes, Key] = {}
        self.privateKeys: dict[bytes, Key] = {}
        # Those that aren't logged in; and of each peer those that haven't said anything, in the
        # order in which they came.
        self._loggingIn: Deadlines[SSHTransport] = Deadlines(
            limits.sshLoginTime, SSHTransport.abort, clock
        )
        self._silent: dict[str, dict[SSHTransport, None]] = {}

    def useHostKey(self, key: Key) -> None:
        """Be known by C{key} from now on."""
        kind = key.sshType()
        self.publicKeys[kind], self.privateKeys[kind] = key.public(), key

    def startFactory(self) -> None:
        """A port is open."""
        self.visits.opened()

    def stopFactory(self) -> None:
        """The last port is closed."""
        self.visits.closed()

    def doorOf(self, host: str | None) -> str:
        """What the door is called in the query log."""
        return "ssh"

    def buildProtocol(self, addr: IAddress | None) -> SSHTransport:
        return SSHTransport(self, hostOf(addr))

    def enter(self, transport: SSHTransport) -> IVisit | None:
        """
        Let a client in. Where its peer has as many connections as one may have, the one that has
        been silent longest makes room: somebody who opens many keeps out nobody beside them.
        """
        host = transport.host
        visit = self.visits.enter("ssh", host, transport.abort)
        if visit is None and host is not None:
            silent = next(iter(self._silent.get(peerOf(host), ())), None)
            if silent is not None and silent.visit is not None:
                silent.abort()
                silent.visit.leave()
                self.spoke(silent)
                visit = self.visits.enter("ssh", host, transport.abort)
        return visit

    def arrived(self, transport: SSHTransport) -> None:
        """A client is let in, and its time to log in begins."""
        self._loggingIn.add(transport)
        peer = self._peer(transport)
        if peer is not None:
            self._silent.setdefault(peer, {})[transport] = None

    def spoke(self, transport: SSHTransport) -> None:
        """A client is silent no more."""
        peer = self._peer(transport)
        if peer is not None and peer in self._silent:
            self._silent[peer].pop(transport, None)
            if not self._silent[peer]:
                del self._silent[peer]

    def loggedIn(self, transport: SSHTransport) -> None:
        """A client has proven who it is."""
        self._loggingIn.discard(transport)

    def left(self, transport: SSHTransport) -> None:
        """A connection is closed."""
        self._loggingIn.discard(transport)
        self.spoke(transport)

    def getService(self, transport: SSHTransport, name: bytes) -> Callable[[], SSHService] | None:
        """
        What makes the service called C{name}, once for each connection: its attempts to log in
        aren't counted anew.
        """
        if name == b"ssh-userauth" and transport.service is None:
            return lambda: SSHLogin(self.limits.sshAttempts, self.clock)
        if name == b"ssh-connection" and isinstance(transport.service, SSHLogin):
            return Connection if hasattr(transport, "avatar") else None
        return None

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], SSHUser, Callable[[], None]]:
        """See L{IRealm}. The checker gives logins in UTF-8, and never an anonymous one."""
        assert isinstance(avatarId, bytes)
        return IConchUser, SSHUser(avatarId.decode("utf-8"), self), _nothing

    def _peer(self, transport: SSHTransport) -> str | None:
        return None if transport.host is None else peerOf(transport.host)


def _nothing() -> None:
    """Nothing is to be done when a user has left."""
