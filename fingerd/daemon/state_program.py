"""``fingerd-state``: moves what users have set from one place to another, and backs it up."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import IO, NoReturn

from fingerd import __version__
from fingerd.daemon.stores import checkPostgreSQL, isPostgreSQL, schemeOf
from fingerd.directories.connected.passwords import withoutPassword
from fingerd.model.errors import CannotStart, reasonOf
from fingerd.model.limits import DEFAULTS
from fingerd.stores.backups import readDirectory, readFile, writeDirectory
from fingerd.stores.database import FILES, NAME
from fingerd.system.capabilities import keepReading
from fingerd.system.privileges import Identity, become, lesserUser
from fingerd.system.state_directory import makeStateDirectory, sync

_EXAMPLES = """\
A state is what the daemon's --state takes: a directory, or postgresql://HOST/DATABASE.

  copy STATE STATE     all of it, to a place where there is nothing yet; the daemon is stopped
  backup STATE FILE    as it is at one moment, while the daemon runs
  restore FILE STATE   what a backup has, to a place where there is nothing yet

examples:
  fingerd-state backup /var/lib/fingerd /root/statuses.backup
  fingerd-state restore /root/statuses.backup /var/lib/fingerd
  fingerd-state copy /var/lib/fingerd postgresql:///fingerd

exit status: 0 where all of it was copied, 1 where nothing was, 2 for a wrong command line,
128 and the number of the signal that ended it
"""


def parser() -> argparse.ArgumentParser:
    """What reads the command line."""
    parser = argparse.ArgumentParser(
        "fingerd-state",
        description="Move what users have set from one place to another, and back it up.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=("copy", "backup", "restore"), help="what to do")
    parser.add_argument("source", metavar="FROM", help="the state, or the backup, to read")
    parser.add_argument("target", metavar="TO", help="where to write it to")
    parser.add_argument("--version", action="version", version=f"fingerd-state {__version__}")
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="the user to become, when started by root (default: the owner of the directory, else "
        "the daemon's own user: fingerd, else nobody)",
    )
    return parser


def main() -> NoReturn:
    """The console script."""
    options = parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        said = _done(options.verb, options.source, options.target, options.user)
    except CannotStart as error:
        sys.exit(f"fingerd-state: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    print(f"{withoutPassword(options.target)} has what was in {options.source}: {said}")
    sys.exit(0)


def _end(number: int, frame: object) -> NoReturn:
    """Whoever is ended takes away what isn't whole."""
    sys.exit(128 + number)


def _done(verb: str, source: str, target: str, user: str | None) -> str:
    """
    Do it, and give back a line that says what was done.

    @raise CannotStart: when nothing was done, with the reason in words.
    """
    states = [source] if verb == "backup" else [target] if verb == "restore" else [source, target]
    for state in states:
        _checkState(state)
    owner = lesserUser(user) if user else _ownerOf(states)
    os.umask(0o077)
    if verb == "backup":
        with _newFile(target) as file:
            return _asUser(owner, lambda: _copied(verb, source, target, file))
    if schemeOf(target) is None:
        makeStateDirectory(target, FILES, owner)
    return _asUser(owner, lambda: _copied(verb, source, target, None))


def _checkState(state: str) -> None:
    """
    Look whether there can be such a state, and import what reads it, while its code can be read.

    @raise CannotStart: when there can't.
    """
    scheme = schemeOf(state)
    if scheme is None:
        return
    if not isPostgreSQL(state):
        raise CannotStart(f"{scheme}: only a directory and postgresql: can be copied")
    try:
        checkPostgreSQL(state)
    except ValueError as error:
        raise CannotStart(f"{withoutPassword(state)}: {error}") from None
    import fingerd.stores.postgresql.postgresql_backup  # noqa: F401


def _ownerOf(states: list[str]) -> Identity:
    """
    Who the daemon becomes: whoever has a state already. (A directory that root has made is handed
    over when the daemon starts.) What is in a directory of somebody else's never makes it root: it
    may be a link to anything.
    """
    for state in states:
        if os.geteuid() != 0 or schemeOf(state) is not None:
            continue
        for path in (state, os.path.join(state, NAME)):
            with suppress(OSError):
                info = os.stat(path)
                if info.st_uid != 0 or path != state:
                    return Identity(info.st_uid, info.st_gid)
    return lesserUser()


def _copied(verb: str, source: str, target: str, file: IO[bytes] | None) -> str:
    """Read all of it into a backup, write that, and say how much it is."""
    with tempfile.TemporaryDirectory(prefix="fingerd-state-") as folder:
        backup = os.path.join(folder, "backup")
        with closing(sqlite3.connect(backup)) as into, _read(verb, source, into):
            entries, users = into.execute(
                "SELECT count(*), count(DISTINCT login) FROM statuses WHERE part <> ''"
            ).fetchone()
            if file is not None:
                try:
                    with open(backup, "rb") as made:
                        shutil.copyfileobj(made, file)
                        file.flush()
                except OSError as error:
                    raise CannotStart(f"can't write {target}: {reasonOf(error)}") from None
            else:
                _write(target, backup)
    return f"{_counted(entries, 'entry', 'entries')} of {_counted(users, 'user', 'users')}"


def _read(verb: str, source: str, into: sqlite3.Connection) -> AbstractContextManager[object]:
    """Read all of it; where it is moved, nobody else uses it before the end of the block."""
    if verb == "restore":
        readFile(source, into)
        return nullcontext()
    alone = verb == "copy"
    if schemeOf(source) is None:
        return closing(readDirectory(source, into, DEFAULTS, alone))
    from fingerd.stores.postgresql.postgresql_backup import readServer

    readServer(source, into, DEFAULTS, alone)
    return nullcontext()


def _write(target: str, backup: str) -> None:
    if schemeOf(target) is None:
        writeDirectory(target, backup, DEFAULTS)
        return
    from fingerd.stores.postgresql.postgresql_backup import writeServer

    writeServer(target, backup, DEFAULTS)


@contextmanager
def _newFile(path: str) -> Iterator[IO[bytes]]:
    """A file that is there under its name, and on the disk, when the block has ended well."""
    if os.path.lexists(path):
        raise CannotStart(f"{path} is there already; nothing was changed: name another file")
    folder, name = os.path.split(os.path.abspath(path))
    try:
        descriptor, part = tempfile.mkstemp(dir=folder, prefix=f"{name}.")
        try:
            with open(descriptor, "wb") as file:
                yield file
                os.fsync(descriptor)
            os.rename(part, path)
        except BaseException:
            os.unlink(part)
            raise
        sync(folder)
    except OSError as error:
        raise CannotStart(f"can't write {path}: {reasonOf(error)}") from None


def _asUser(owner: Identity, work: Callable[[], str]) -> str:
    """
    What C{work} gives back, which is done by that user: in a process of its own, since nobody
    becomes root again. It keeps root's right to read: a state directory of systemd's is where only
    root gets to, and so may be a backup.
    """
    if owner.uid in (None, os.geteuid()):
        return work()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with keepReading():
                become(owner)
            said = work()
            status = 0
        except CannotStart as error:
            said = str(error)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(status)
    os.close(writing)
    try:
        with open(reading, encoding="utf-8") as answer:
            said = answer.read()
    except BaseException:
        # What is to end leaves nobody behind who goes on.
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        raise
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise CannotStart(said or "it was killed")
    return said


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


if __name__ == "__main__":
    main()
