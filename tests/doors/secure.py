"""TLS ports, and clients of theirs."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from fingerd.model.limits import DEFAULTS
from fingerd.model.user import User
from tests.doors.proxying import NotingFactory, Proxied
from tests.doors.tls import End, TLSClient
from tests.support.certificates import selfSigned
from tests.support.ports import TIME, Directory, temporaryFolder
from tests.support.service import Finger


class Secure(Proxied):
    """A test with a TLS port, and a directory that takes its time."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.noOtherWarnings)
        folder = temporaryFolder(self)
        self.certificate = Path(folder) / "localhost.pem"
        self.certificate.write_bytes(selfSigned())
        self.ssl = f"ssl:0:privateKey={self.certificate}:interface=127.0.0.1"
        self.tls = f"tls:{folder}:0:interface=127.0.0.1"
        self.directory = Directory(self.slow)
        self.factory = NotingFactory(Finger(TIME, [self.directory]), DEFAULTS)
        # How long a lookup takes, and what comes of it.
        self.seconds = 0.05
        self.status = "Happy and well"

    def noOtherWarnings(self) -> None:
        """Twisted's own endpoints make their certificates in a way that is going out of use."""
        for warning in self.flushWarnings():
            self.assertRegex(str(warning["message"]), "(pyOpenSSL|X509).* deprecated")

    def slow(self, login: str) -> Deferred[User | None]:
        return deferLater(TIME, self.seconds, User, login, status=self.status)

    def client(self, port: int, query: bytes, end: End, before: bytes = b"") -> Deferred[bytes]:
        """What such a client is answered, by a thread of its own."""
        return deferToThread(lambda: TLSClient(port, self.certificate, before).ask(query, end))
