"""What a scenario has: daemons, servers and files, and the transcript of what is said."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.wire import client
from tests.wire.client import Address, Answer, Request
from tests.wire.daemon import IS_ROOT, ROOT, Daemon, byFile, byOptions
from tests.wire.server import Server, Trouble
from tests.wire.shown import shown

# All that is different from one time to the next; README.md has the reasons.
_VARYING = ((re.compile(rb"(?m)^Reference: [0-9a-f]{8}(?=\r$)"), b"Reference: <reference>"),)


class Wire:
    """
    One scenario, as long as the C{with} statement lasts.

    @ivar folder: a temporary folder that every user may look into.
    @ivar memory: another one, where nothing waits for a disk: for statuses.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._ending = ExitStack()
        self._servers: list[Server] = []
        self._varying = list(_VARYING)

    def __enter__(self) -> Wire:
        self.folder = self._ending.enter_context(tempfile.TemporaryDirectory(prefix="wire-"))
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.memory = self._ending.enter_context(
            tempfile.TemporaryDirectory(prefix="wire-", dir=memory)
        )
        for folder in (self.folder, self.memory):
            os.chmod(folder, 0o755)
        return self

    def __exit__(self, *exception: object) -> None:
        self._ending.close()

    @property
    def transcript(self) -> str:
        """All that was said until now."""
        return "".join(f"{line}\n" for line in self._lines)

    def note(self, text: str) -> None:
        """What a reader of the transcript should know."""
        self._lines += ["", f"# {text}"]

    def file(self, name: str, content: str | bytes, mode: int = 0o644) -> str:
        """Write a file, and give back its path."""
        path = Path(self.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.encoded(content))
        path.chmod(mode)
        return str(path)

    def certificate(self) -> str:
        """A certificate for localhost, with its key, in a file of a folder of its own."""
        folder = Path(self.folder, "tls")
        folder.mkdir()
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        key, path = folder / "key", folder / "localhost.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
                *("ec_paramgen_curve:P-256", "-nodes", "-days", "2", *subject),
                *("-keyout", str(key), "-out", str(path)),
            ],
            check=True,
            capture_output=True,
        )
        with path.open("ab") as file:
            file.write(key.read_bytes())
        key.unlink()
        path.chmod(0o644)
        return str(path)

    def server(self, answers: Mapping[bytes, bytes | Trouble], hold: bytes | None = None) -> Server:
        """
        Another server; what it is asked stands in the transcript, but where it holds requests
        back: nobody can tell then how far others get.
        """
        server = Server(answers, hold)
        self._ending.callback(server.close)
        if hold is None:
            self._servers.append(server)
        self.varies(f"127.0.0.1:{server.port}", "127.0.0.1:<port>")
        return server

    def namespace(self, files: Mapping[str, str], addresses: Sequence[str] = ()) -> list[str]:
        """
        What is put before a command so that it has files of its own in C{/etc}, beside
        those that all may read there. Only root can.

        @param files: their contents by their names.
        @param addresses: where there are any, it has a network of its own too, with nothing but
            loopback in it, which has these addresses.
        """
        # The folder as a whole: where another process replaces a file, what is mounted over that
        # file in here would be gone.
        for entry in os.scandir("/etc"):
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mode & stat.S_IROTH:
                self.file(f"etc/{entry.name}", Path(entry).read_bytes())
        own = {"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n", **files}
        for name, text in own.items():
            self.file(f"etc/{name}", text)
        network = ["ip link set lo up"] if addresses else []
        network += [f"ip address add {address}/32 dev lo" for address in addresses]
        script = " && ".join([f"mount --bind {self.folder}/etc /etc", *network, 'exec "$0" "$@"'])
        options = ["--mount", *(["--net"] if addresses else [])]
        return ["unshare", *options, "sh", "-c", script]

    def varies(self, text: str, shownAs: str) -> None:
        """What has another text each time, and what is shown instead."""
        self._varying.append((re.compile(re.escape(text.encode())), shownAs.encode()))

    def daemon(
        self,
        *options: str,
        environment: Mapping[str, str] | None = None,
        tac: str | None = None,
        inside: Sequence[str] = (),
    ) -> Talk:
        """
        Start a daemon.

        @param options: those of C{twistd finger}.
        @param tac: a file to run instead of C{twistd finger}.
        @param inside: what is put before the command.
        """
        command = byFile(tac) if tac else byOptions(options, f"{self.memory}/state")
        state = {"FINGER_STATE": f"{self.memory}/state", "PYTHONPATH": str(ROOT)}
        daemon = Daemon(command, {**state, **(environment or {})}, inside)
        self._ending.callback(daemon.end)
        words = " ".join([f"finger.tac with {environment}"] if tac else ["twistd finger", *options])
        self._lines += ["", f"$ {self.constant(words)}"]
        return Talk(self, daemon)

    def constant(self, text: str) -> str:
        """Text without what is different each time."""
        constant = self._constant(text.encode()).decode()
        return constant.replace(self.folder, "<folder>").replace(self.memory, "<folder>")

    def said(self, request: Request, answer: Answer, door: str = "") -> None:
        """Note a request and its answer, and what other servers were asked meanwhile."""
        self._lines += ["", f"{door}> {client.shownRequest(request)}"]
        for server in self._servers:
            self._lines += [f">> {shown(line)}" for line in server.asked()]
        constant = Answer(self._constant(answer.data), answer.reset)
        self._lines += [f"< {line}" for line in client.shownAnswer(constant)]

    def _constant(self, data: bytes) -> bytes:
        for varying, instead in self._varying:
            data = varying.sub(instead, data)
        return data


class Talk:
    """What is said to a daemon, and by it."""

    def __init__(self, wire: Wire, daemon: Daemon) -> None:
        self._wire = wire
        self._daemon = daemon
        self.ports = daemon.ports
        self.port = daemon.ports[0]
        self.setterPort = daemon.setterPort

    def asks(self, *requests: Request, at: Address | None = None) -> None:
        """
        Ask each of these, one after the other.

        @param at: a UNIX socket, where that isn't the first port.
        """
        for request in requests:
            self._wire.said(request, client.exchange(at or self.port, request))

    def sets(self, *requests: Request, uid: int | None = None, at: Address | None = None) -> None:
        """
        Say each of these to the setter.

        @param uid: the user who says it.
        """
        door = "setter" if uid is None else f"setter, by uid {uid}"
        for request in requests:
            self._wire.said(request, client.exchange(at or self.setterPort, request, uid), door)

    def setsInside(self, *requests: str, host: str) -> None:
        """Say each of these to the setter at ``host``, from within the daemon's own network."""
        for request in requests:
            answer = subprocess.run(
                [
                    *("nsenter", f"--target={self._daemon.pid}", "--net"),
                    *("nc", "-N", host, str(self.setterPort)),
                ],
                input=request.encode(),
                capture_output=True,
                timeout=client.PATIENCE,
                check=True,
            ).stdout
            self._wire.said((request, client.END), Answer(answer, False), f"setter, at {host}")

    def asksSecurely(self, *requests: Request, certificate: str, before: bytes = b"") -> None:
        """Ask each of these over TLS."""
        for request in requests:
            answer = client.secureExchange(self.port, request, certificate, before)
            door = f"{shown(before)}, then TLS" if before else "TLS"
            self._wire.said(request, answer, door)

    def stop(self) -> None:
        """Tell it to stop, and wait until it has closed its first port."""
        self._daemon.stop()
        with suppress(ConnectionError):
            while True:
                with client.connected(self.port):
                    """It hasn't yet."""

    def end(self) -> None:
        """End the daemon."""
        self._daemon.end()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._daemon.pid


def needsRoot() -> str | None:
    """Why a scenario that only root can play can't be played, or None."""
    return None if IS_ROOT else "needs root: namespaces, and sockets of other users"


def needs(*programs: str) -> str | None:
    """Why a scenario that takes these can't be played, or None."""
    missing = [program for program in programs if shutil.which(program) is None]
    return f"needs {', '.join(missing)}: see .ci/run for their packages" if missing else None
