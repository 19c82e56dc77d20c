"""
Lines of an authorized_keys file (sshd(8)), from text to keys.

    [options] ssh-ed25519 AAAA... comment

Options say what a key may not do, or from where, until when, and which command it runs. The door
has no terminal, no forwarding and one set of commands: the options that only forbid such things
change nothing and are read over. A key with any other option is not taken, since it would be good
for more than its line says.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from twisted.conch.ssh.keys import BadKeyError, Key

# What a line may begin with where it has no options.
_KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)
# Kinds that are keys elsewhere, and not here: DSA is broken, and twisted.conch doesn't look whether
# somebody touched a security key.
_OTHERS = re.compile(r"(?:ssh|sk-ssh|sk-ecdsa|ecdsa)-[^\s]*")
# Options that forbid what nobody can do at this door.
_EMPTY = frozenset(
    [
        "restrict",
        "no-pty",
        "no-port-forwarding",
        "no-agent-forwarding",
        "no-x11-forwarding",
        "no-user-rc",
    ]
)
# An option, perhaps with a value in quotes, in which a quote is written \".
_OPTION = re.compile(r'([A-Za-z0-9-]+)(="(?:[^"\\]|\\.)*")?(?:,|(?=[ \t])|$)')
# In bits, what an RSA key has at least and at most: checking a longer one takes long.
_RSA = range(2048, 8192 + 1)


def keysIn(text: str, blob: bytes = b"") -> Iterator[Key | str]:
    """
    For each line of C{text} that is not blank or a comment: its key or, where there is none that
    counts, why, in words.

    @param blob: only lines with this public key are looked at, since that is next to no work.
    """
    holding = b64encode(blob).decode("ascii")
    for number, whole in enumerate(text.split("\n"), 1):
        line = whole.strip()
        if line and not line.startswith("#") and holding in line:
            try:
                yield keyIn(line)
            except ValueError as error:
                yield f"line {number}: {error}"


def keyIn(line: str) -> Key:
    """
    The key in one line.

    @raise ValueError: where there is none, or none that counts, in words.
    """
    words = line.split()
    if words[0] not in _KINDS:
        if _OTHERS.fullmatch(words[0]):
            raise ValueError("a kind of key that isn't taken")
        if any(word in _KINDS for word in words):
            words = _withoutOptions(line).split()
    if len(words) < 2 or words[0] not in _KINDS:
        raise ValueError("no key")
    try:
        key: Key = Key.fromString(b64decode(words[1], validate=True), type="BLOB")
    except (BadKeyError, UnsupportedAlgorithm, ValueError, TypeError, IndexError):
        raise ValueError("no key") from None
    except Exception as error:
        # What is cut off makes conch raise what comes.
        raise ValueError(f"no key ({type(error).__name__})") from None
    if key.sshType().decode() != words[0]:
        raise ValueError("the key isn't of the kind that its line says")
    if key.type() == "RSA" and key.size() not in _RSA:
        raise ValueError(f"an RSA key has {_RSA.start} to {_RSA.stop - 1} bits")
    return key


def _withoutOptions(line: str) -> str:
    at = 0
    while True:
        option = _OPTION.match(line, at)
        if option is None:
            raise ValueError("no key")
        if option[2] or option[1].lower() not in _EMPTY:
            raise ValueError(f"a key with the option {option[1]} isn't taken")
        at = option.end()
        if not option[0].endswith(","):
            return line[at:].strip()
