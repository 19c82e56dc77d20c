"""Who somebody is, by the key that they hold: what cred asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ISSHPrivateKey, SSHPrivateKey
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from fingerd.doors.ssh.authorized_keys import keysIn
from fingerd.logs.repeats import Like

# How something is signed, by the kind of key. RSA with SHA-1, "ssh-rsa", is not among them.
_SIGNATURES = {
    b"ssh-ed25519": (b"ssh-ed25519",),
    b"ssh-rsa": (b"rsa-sha2-512", b"rsa-sha2-256"),
    b"ecdsa-sha2-nistp256": (b"ecdsa-sha2-nistp256",),
    b"ecdsa-sha2-nistp384": (b"ecdsa-sha2-nistp384",),
    b"ecdsa-sha2-nistp521": (b"ecdsa-sha2-nistp521",),
}
# What clients are told that they may sign with (RFC 8308 3.1).
SIGNATURES = tuple(name for names in _SIGNATURES.values() for name in names)


@implementer(ICredentialsChecker)
class KeyChecker:
    """
    Lets in whoever has signed with one of the keys of the login that they claim.

    Before somebody has signed, every key is said to be good (RFC 4252 7): what is tried tells
    nothing of who there is, or whose key it is.
    """

    _log = Logger()
    credentialInterfaces = (ISSHPrivateKey,)

    def __init__(self, keysOf: Callable[[str], str]) -> None:
        """
        @param keysOf: gives the keys of a login, a line each as in authorized_keys.
        """
        self._keysOf = keysOf

    def requestAvatarId(self, credentials: SSHPrivateKey) -> Deferred[bytes | tuple[()]]:
        """
        See L{ICredentialsChecker}.

        @return: the login, in UTF-8.
        """
        if credentials.signature is None:
            return fail(ValidPublicKey())
        try:
            login: bytes = credentials.username
            signature: bytes = credentials.signature
            for key in self._keys(login.decode("utf-8"), credentials.blob):
                if key.blob() == credentials.blob and _signed(key, signature, credentials.sigData):
                    return succeed(login)
        except Exception:
            # What a stranger made up may make conch raise anything.
            pass
        return fail(UnauthorizedLogin("no such key"))

    def _keys(self, login: str, blob: bytes) -> Iterator[Key]:
        # Whether there are others, and so such a user, can't be told from how long this takes.
        for key in keysIn(self._keysOf(login), blob):
            if isinstance(key, Key):
                yield key
            else:
                self._log.warn(
                    "a key of {login!r} doesn't count, {reason}",
                    login=login,
                    reason=key,
                    like=Like(login),
                )


def _signed(key: Key, signature: bytes, data: bytes) -> bool:
    kind = getNS(signature)[0]
    return kind in _SIGNATURES[key.sshType()] and bool(key.verify(signature, data))
