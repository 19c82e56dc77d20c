"""A real daemon that keeps statuses, and clients that set and ask for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.daemon import ROOT

_TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
_TAC = str(ROOT / "tests" / "support" / "setter_daemon.py")


class SetterDaemon:
    """
    A process of L{tests.support.setter_daemon}.

    Several may share a home, and so their statuses.
    """

    def __init__(self, home: str, name: str = "sockets", database: str = "") -> None:
        """
        @param home: a directory that everyone may enter: the daemon may become a lesser user.
        @param name: the directory in it for its sockets.
        @param database: where statuses are kept instead of there: a C{postgresql:} URL.
        """
        self.home = home
        self.sockets = os.path.join(home, name)
        os.makedirs(self.sockets, exist_ok=True)
        self._log = Path(self.sockets, "log")
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*_TWISTD, "-noy", _TAC, "--pidfile="],
                cwd=home,
                env={
                    **os.environ,
                    "HOME_OF_TEST": home,
                    "SOCKETS_OF_TEST": name,
                    "DATABASE_OF_TEST": database,
                    "PYTHONPATH": str(ROOT),
                },
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text()

    def answers(self) -> bool:
        """Wait until it does; False when it ended instead."""
        while "finger on" not in self.log:
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return True

    def set(self, login: str, status: str) -> str:
        """Its answer; empty when it went away before that."""
        return self._exchange("set", f"{login}\n{status}\n")

    def send(self, request: str) -> str:
        """Its answer to a request; empty when it went away before that."""
        return self._exchange("set", request)

    def ask(self, login: str) -> str:
        """The status it shows; empty when it went away before that."""
        return self._exchange("finger", f"{login}\n")

    def end(self, signalNumber: int) -> int:
        """End it with a signal, and wait until it is gone. Its exit status."""
        self.process.send_signal(signalNumber)
        return self.process.wait()

    def stop(self) -> None:
        """Stop it in the orderly way, if it runs."""
        if self.process.poll() is None:
            self.end(signal.SIGTERM)

    def _exchange(self, port: str, request: str) -> str:
        received = b""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            try:
                connection.connect(os.path.join(self.sockets, port))
                connection.sendall(request.encode())
                while data := connection.recv(65536):
                    received += data
            except OSError:
                return ""
        # What was cut off is no answer.
        text = received.decode()
        return text.removesuffix("\r\n") if text.endswith("\r\n") else ""
