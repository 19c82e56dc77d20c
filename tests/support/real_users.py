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

from tests.support.daemon import PATIENCE, turnAt

NOT_ROOT = "needs root: it makes accounts, and namespaces, and becomes other users"


def makeUser(prefix: str, addCleanup: Callable[..., object], name: str = "") -> pwd.struct_passwd:
    """An account whose login begins with ``prefix``, for someone of this full name."""
    login = f"{prefix}{secrets.token_hex(4)}"
    changeAccounts("useradd", "-M", "-c", name, "--shell", "/usr/sbin/nologin", login)
    addCleanup(changeAccounts, "userdel", login)
    return pwd.getpwnam(login)


def changeAccounts(*command: str) -> None:
    """Run a command that changes the system's accounts. All tests take turns at that."""
    with turnAt("/etc"):
        patience = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(command, capture_output=True, check=False)
            # Programs that are no tests change them too, and lock them for a moment.
            if b"lock" not in done.stderr or time.monotonic() > patience:
                break
            time.sleep(0.1)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr.decode()}")


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
