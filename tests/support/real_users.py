"""Real accounts of this system, made for a test and removed after it."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator

NOT_ROOT = "needs root: it makes accounts, and namespaces, and becomes other users"

# Another program has /etc/passwd locked.
_LOCKED = 1


def makeUser(prefix: str, addCleanup: Callable[..., object], name: str = "") -> pwd.struct_passwd:
    """An account whose login begins with ``prefix``, for someone of this full name."""
    login = f"{prefix}{secrets.token_hex(4)}"
    _change("useradd", "-M", "-c", name, "--shell", "/usr/sbin/nologin", login)
    addCleanup(_change, "userdel", login)
    return pwd.getpwnam(login)


def _change(*command: str) -> None:
    for _ in range(50):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != _LOCKED:
            break
        time.sleep(0.1)
    done.check_returncode()


def commonDirectory(addCleanup: Callable[..., object]) -> str:
    """A directory that every user may look into, as the tests' own may not be."""
    path = tempfile.mkdtemp()
    addCleanup(shutil.rmtree, path)
    os.chmod(path, 0o755)
    return path


@contextlib.contextmanager
def acting(user: pwd.struct_passwd) -> Iterator[None]:
    """What this process does meanwhile, it does as ``user``."""
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def become(user: pwd.struct_passwd) -> list[str]:
    """
    What to put before a program for ``user`` to run it. They may read what only root may: the
    interpreter and the checkout may lie in root's home.
    """
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
    ]
