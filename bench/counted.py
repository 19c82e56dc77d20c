"""
``python -m bench.counted SOCKET ARGUMENTS``: twistd with these arguments, and beside it a thread
that tells what is alive in the process: that tells what is never let go from what the allocator
keeps for the next time.

Each connection to the UNIX socket is sent a line of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import socket
import sys
import threading
from contextlib import suppress


class _Mallinfo2(ctypes.Structure):
    """See mallinfo(3)."""

    _fields_ = [
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    ]


def alive() -> dict[str, int]:
    """
    How many objects the garbage collector knows of, how many small blocks Python has in use, and
    how many bytes malloc(3) has handed out: 0 where that can't be told.
    """
    counts = {"objects": len(gc.get_objects()), "blocks": sys.getallocatedblocks(), "malloc": 0}
    # Only glibc 2.33 and later have it.
    with suppress(OSError, AttributeError):
        mallinfo2 = ctypes.CDLL("libc.so.6").mallinfo2
        mallinfo2.restype = _Mallinfo2
        info = mallinfo2()
        counts["malloc"] = info.uordblks + info.hblkhd
    return counts


def _tell(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(json.dumps(alive()).encode() + b"\n")


def main(path: str, arguments: list[str]) -> None:
    """Be twistd."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    threading.Thread(target=_tell, args=(listening,), daemon=True).start()
    sys.argv = ["twistd", *arguments]
    # Not before: what is imported belongs to the daemon.
    from twisted.scripts.twistd import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
