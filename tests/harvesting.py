"""
``python -m tests.harvesting``: whether it shows by the time whom a daemon hides.

It asks for unknown, hidden and masked users in turn, thousands of times, and prints what each kind
of name took. Run by root, it makes accounts and asks for those too that C{passwd:} doesn't show. No
test asserts these times: a machine may be busy.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.support.daemon import IS_ROOT, Daemon
from tests.support.real_users import makeUser

# A peer may not ask that often.
_OFTEN = "--limit=peerQueries=1000000000"
NAMES = {"unknown": "nobodyatall", "hidden": "hiddenuser", "masked": "maskeduser"}
# What they are asked with: in one segment by the short way, in two by the ordinary one.
WAYS: dict[str, Sequence[str]] = {"short": ("{}\r\n",), "ordinary": ("{}", "\r\n")}


def hiding(folder: Path, *arguments: str) -> Daemon:
    """A daemon that hides a user, masks one in two directories, and shows moshez."""
    folder.chmod(0o1777)
    (folder / "users").write_text("moshez:Happy\nmaskeduser:Secret\n")
    (folder / "users.toml").write_text(
        "[hiddenuser]\nhidden = true\nstatus = 'Secret'\n[maskeduser]\nstatus = 'Secret'\n"
    )
    return Daemon(
        "-n",
        "--pidfile=",
        "finger",
        "--listen=tcp:0:interface=127.0.0.1",
        f"--directory=file:{folder}/users",
        f"--directory=toml:{folder}/users.toml",
        "--mask=maskeduser",
        "--no-setter",
        *arguments,
        fresh=True,
    )


def ask(port: int, segments: Sequence[str], name: str) -> tuple[bytes, float]:
    """The answer, and the seconds from the last segment to its end."""
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in segments:
            began = time.perf_counter()
            client.sendall(segment.format(name).encode())
        answer = b""
        while received := client.recv(65536):
            answer += received
        return answer, time.perf_counter() - began


def _accounts(stack: ExitStack) -> dict[str, str]:
    """Accounts that are not shown, each for another reason, until C{stack} ends."""
    names = {"account of the system": "daemon"}
    for kind in "account with .nofinger", "masked account":
        user = makeUser("fd-hidden-", stack.callback)
        home = Path(user.pw_dir)
        home.mkdir(mode=0o755)
        stack.callback(shutil.rmtree, home)
        (home / ".plan").write_text("Secret\n")
        if kind == "account with .nofinger":
            (home / ".nofinger").touch()
        for path in home, *home.iterdir():
            os.chown(path, user.pw_uid, user.pw_gid)
        names[kind] = user.pw_name
    return names


def main(rounds: int) -> None:
    """Measure, and print a table."""
    print(
        "| directories | way | name | median, µs | 90 % within | difference to unknown, in errors |"
    )
    print("|---|---|---|---|---|---|")
    for also in ((), ("--directory=passwd:",)):
        with ExitStack() as stack:
            names = {**NAMES, **(_accounts(stack) if also and IS_ROOT else {})}
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            masked = f"--mask={names.get('masked account', 'nobody')}"
            daemon = stack.enter_context(hiding(Path(folder), _OFTEN, masked, *also))
            for way, segments in WAYS.items():
                times: dict[str, list[float]] = {kind: [] for kind in names}
                for number in range(rounds):
                    # In another order each time: none is always the first.
                    kinds = list(names)
                    for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
                        answer, seconds = ask(daemon.port, segments, names[kind])
                        assert answer == b"No such user\r\n", answer
                        times[kind].append(seconds * 1e6)
                unknown = statistics.median(times["unknown"])
                for kind, those in times.items():
                    median = statistics.median(those)
                    tenths = statistics.quantiles(those, n=10)
                    # The medians' own error, of which a few are noise.
                    error = 1.25 * (tenths[7] - tenths[1]) / 1.7 / len(those) ** 0.5 * 2**0.5
                    where = "file:, toml:" + (", passwd:" if also else "")
                    print(
                        f"| {where} | {way} | {kind} | {median:.0f} | {tenths[8]:.0f} "
                        f"| {(median - unknown) / error:+.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
