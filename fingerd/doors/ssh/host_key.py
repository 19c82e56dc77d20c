"""
The key by which clients know this host: made once, and kept in the state directory, or in a file
that the administrator names.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import FingerprintFormats, Key

from fingerd.model.errors import CannotStart, reasonOf
from fingerd.system.state_directory import HOST_KEY

# No private key of this kind is longer.
_LONGEST = 4096


def hostKey(directory: str) -> Key:
    """
    The host key in the state directory, which is there; it is made where there is none. To be
    called by the user that the daemon has become, whose file it is and nobody else's.

    @raise CannotStart: where it can't be read or made, or others may read it. It is never replaced.
    """
    path = os.path.join(os.path.abspath(directory), HOST_KEY)
    try:
        if not os.path.lexists(path):
            _make(path)
        return _read(path, os.O_NOFOLLOW)
    except OSError as error:
        raise CannotStart(f"can't use the host key {path}: {reasonOf(error)}") from None


def namedHostKey(path: str) -> Key:
    """
    The host key in a file that the administrator names. To be called before the daemon gives up its
    privileges: root alone may be able to read it.

    @raise CannotStart: where it can't be read, or others may read it. It is never made: machines
        that are one host to their clients have the same.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        words = f"there is none; make it with: ssh-keygen -t ed25519 -N '' -f {path}"
        raise CannotStart(f"can't use the host key {path}: {words}") from None
    except OSError as error:
        raise CannotStart(f"can't use the host key {path}: {reasonOf(error)}") from None


def fingerprint(key: Key) -> str:
    """How clients show the public half of C{key}, as in C{SHA256:...}."""
    return f"SHA256:{key.fingerprint(FingerprintFormats.SHA256_BASE64).rstrip('=')}"


def _make(path: str) -> None:
    text = Key(Ed25519PrivateKey.generate()).toString("openssh", comment=b"fingerd")
    # Two daemons may start at once: whoever is first makes the key of both, and none is half there.
    new = f"{path}.{secrets.token_hex(8)}"
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(file, "wb") as writing:
            writing.write(text)
            writing.flush()
            os.fsync(file)
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        os.unlink(new)


def _read(path: str, flags: int = 0) -> Key:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    with open(file, "rb") as reading:
        info = os.fstat(file)
        if not stat.S_ISREG(info.st_mode):
            raise OSError("it is no ordinary file")
        if info.st_mode & 0o077:
            raise OSError("others may read it; chmod 600")
        text = reading.read(_LONGEST)
    try:
        key: Key = Key.fromString(text, type="PRIVATE_OPENSSH")
    except Exception:
        # What is no key makes conch raise what comes.
        raise OSError("it is damaged, or has a passphrase") from None
    if key.sshType() != b"ssh-ed25519":
        raise OSError("it is no ed25519 key")
    return key
