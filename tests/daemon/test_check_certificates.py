"""What ``fingerd-check`` says of certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.daemon.test_check_kept import Checking
from tests.support.certificates import certificateAndKey, selfSigned
from tests.support.daemon import IS_ROOT, needsRoot

_DAY = timedelta(days=1)
_LONG = 400 * _DAY


class CertificateTests(Checking):
    """Ports with TLS, and certificates of which something is to be said."""

    def setUp(self) -> None:
        super().setUp()
        self.certificates = self.folder / "certificates"
        self.certificates.mkdir()
        self.path = self.certificates / "localhost.pem"

    def said(self, *ports: str, asRoot: bool = False) -> tuple[int, list[str]]:
        """How it ends, and what it warns of or fails with."""
        doors = (f"--web={port}" for port in ports)
        status, said = self.check(*doors, "--no-setter", asRoot=asRoot)
        return status, [line for line in said if line.startswith(("warning: ", "error: "))]

    def test_times(self) -> None:
        """One that has ended, ends soon, or isn't good yet, of either kind of port."""
        today = datetime.now(UTC)
        for begins, ends, words in (
            (-_DAY, _LONG, None),
            (-_DAY, 40 * _DAY, None),
            (-_DAY, 20 * _DAY, f"is good until {today + 20 * _DAY:%Y-%m-%d} only"),
            (-3 * _DAY, -2 * _DAY, f"has expired on {today - 2 * _DAY:%Y-%m-%d}"),
            (2 * _DAY, _LONG, f"is not good before {today + 2 * _DAY:%Y-%m-%d} "),
        ):
            self.path.write_bytes(selfSigned(begins, ends))
            self.path.chmod(0o644)
            status, said = self.said(f"ssl:0:privateKey={self.path}", f"tls:{self.certificates}:0")
            if words is None:
                self.assertEqual((status, said), (0, []))
            else:
                self.assertEqual((status, len(said)), (2, 2), said)
                for line in said:
                    self.assertIn(f"warning: the certificate {self.path} {words}", line)

    def test_otherKey(self) -> None:
        """A key that isn't the certificate's: one port can't be made, the other serves nobody."""
        certificate, _ = certificateAndKey(-_DAY, _LONG)
        _, key = certificateAndKey(-_DAY, _LONG)
        self.path.write_bytes(certificate + key)
        self.path.chmod(0o644)
        status, said = self.said(f"ssl:0:privateKey={self.path}")
        self.assertEqual(status, 1)
        self.assertIn("do not match", said[0])
        folder = self.certificates
        self.assertEqual(
            self.said(f"tls:{folder}:0"),
            (
                2,
                [
                    f"warning: the key in {self.path} is that of no certificate in {folder}",
                    f"warning: there is no certificate with its key in {folder}: "
                    "nobody can connect",
                ],
            ),
        )

    def test_apart(self) -> None:
        """A key and its certificate may be in two files."""
        certificate, key = certificateAndKey(-_DAY, _LONG)
        for name, text in (("chain.pem", certificate), ("key.pem", key)):
            path = Path(self.certificates, name)
            path.write_bytes(text)
            path.chmod(0o644)
        chain, keyFile = f"{self.certificates}/chain.pem", f"{self.certificates}/key.pem"
        ports = f"ssl:0:privateKey={keyFile}:certKey={chain}", f"tls:{self.certificates}:0"
        self.assertEqual(self.said(*ports), (0, []))

    def test_ofRoot(self) -> None:
        """Files that only root can read are well where they are read once, and not where again."""
        needsRoot()
        self.path.write_bytes(selfSigned(-_DAY, _LONG))
        self.path.chmod(0o600)
        self.assertEqual(self.said(f"ssl:0:privateKey={self.path}", asRoot=IS_ROOT), (0, []))
        status, said = self.said(f"tls:{self.certificates}:0", asRoot=True)
        self.assertEqual(status, 2)
        self.assertEqual(
            said, [f"warning: {self.path} can't be read by the daemon's user: Permission denied"]
        )
