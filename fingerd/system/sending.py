"""What the system still has to send."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios


def isReceived(connection: socket.socket) -> bool:
    """Whether the other end's system has acknowledged all that was sent, the end included."""
    unacknowledged = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(struct.calcsize("i")))
    return not any(unacknowledged)
