"""
From root to a lesser user, before anything is read from a client.

The program and its libraries may lie where the lesser user can't read them, in root's home for
example: so nothing of the daemon may be imported only when it is first needed.
"""

from __future__ import annotations

import os
import pwd
from typing import NamedTuple

from twisted.logger import Logger
from twisted.python.util import switchUID

from fingerd.model.errors import CannotStart
from fingerd.system.worker_role import roleOf

__all__ = ["Identity", "lesserUser"]

_log = Logger()

# The user of its own, if the administrator has made one; the user of those that have none, if not.
_LESSER_USERS = ("fingerd", "nobody")


class Identity(NamedTuple):
    """
    A user to become, and the group. Both are None where the process stays what it is.
    """

    uid: int | None
    gid: int | None


def startedByRoot() -> bool:
    """Whether root has started the daemon. A worker asks what its parent was."""
    role = roleOf()
    return os.geteuid() == 0 if role is None else role.byRoot


def lesserUser(name: str | None = None) -> Identity:
    """
    The user that the daemon becomes when it is started by root: the one called ``name`` or, by
    default, ``fingerd`` where there is one, else ``nobody``. A daemon that anyone else has started
    stays what it is, and so does a worker: its parent has become that user.

    @raise CannotStart: when there is no such user.
    """
    if os.geteuid() != 0:
        if name is not None and not startedByRoot():
            raise CannotStart(f"only root can become the user {name!r}")
        return Identity(None, None)
    for candidate in _LESSER_USERS if name is None else (name,):
        try:
            user = pwd.getpwnam(candidate)
        except (KeyError, ValueError):
            continue
        return Identity(user.pw_uid, user.pw_gid)
    if name is None:
        raise CannotStart("there is no user to become: make one called fingerd")
    raise CannotStart(f"there is no user {name!r} to become")


def become(identity: Identity) -> None:
    """
    Be that user from now on, with the user's groups, and for good. One who has no name, such as a
    user of systemd's whose service is stopped, has no groups but that one.

    @raise CannotStart: when the system doesn't allow it.
    """
    if identity.uid is None:
        return
    try:
        if _hasName(identity.uid):
            switchUID(identity.uid, identity.gid)
        else:
            os.setgroups([])
            if identity.gid is not None:
                os.setgid(identity.gid)
            os.setuid(identity.uid)
    except (OSError, KeyError) as error:
        raise CannotStart(f"can't become the user with uid {identity.uid}: {error}") from None
    _log.info("now uid {uid}, gid {gid}", uid=os.getuid(), gid=os.getgid())


def _hasName(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
