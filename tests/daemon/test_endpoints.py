"""Every kind of port that the real daemon can listen at."""

from __future__ import annotations

import os
import socket
import ssl

from tests.support.certificates import selfSigned
from tests.support.daemon import PATIENCE, TWISTD, Daemon, needs, run
from tests.support.with_users import HAPPY, WithUsers


class EndpointTests(WithUsers):
    """Every kind of endpoint that an administrator may name."""

    def listening(self, *endpoints: str, **environment: str) -> Daemon:
        """A daemon that takes queries there and nowhere else."""
        return Daemon(
            "-n",
            "--pidfile=",
            "finger",
            *(f"--listen={endpoint}" for endpoint in endpoints),
            f"--users={self.users}",
            "--no-setter",
            environment=environment,
        )

    def test_tcp6(self) -> None:
        """tcp6: takes IPv6 clients, and IPv4 ones too where the system does."""
        with self.listening("tcp6:0") as daemon:
            self.assertEqual(daemon.ask(b"moshez\r\n"), b"Happy and well\r\n")

    def test_unix(self) -> None:
        """unix: takes clients on a socket, and the start line says how to ask there."""
        os.chmod(self.folder, 0o777)
        with self.listening(f"unix:{self.folder}/finger") as daemon:
            self.assertEqual(daemon.example, f"echo moshez | nc -U {self.folder}/finger")
            needs("nc")
            self.assertEqual(run("sh", "-c", daemon.example), b"Happy and well\r\n")

    def test_ssl(self) -> None:
        """ssl: answers over TLS, also with bytes after the line."""
        certificate = self.folder / "server.pem"
        certificate.write_bytes(selfSigned())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificate)
        with self.listening(f"ssl:0:privateKey={certificate}:interface=127.0.0.1") as daemon:
            for query in (b"moshez\r\n", b"moshez\r\nmore\r\n", b"radix\n"):
                with (
                    socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain,
                    context.wrap_socket(plain, server_hostname="localhost") as client,
                ):
                    client.sendall(query)
                    answer = b""
                    while received := client.recv(1000):
                        answer += received
                expected = b"Writing\r\na web server\r\n" if b"radix" in query else HAPPY
                self.assertEqual(answer, expected)
            self.assertNotIn("Traceback", "\n".join(daemon.log))

    def test_tls(self) -> None:
        """tls: takes its certificates from a folder."""
        (self.folder / "localhost.pem").write_bytes(selfSigned())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / "localhost.pem")
        with (
            self.listening(f"tls:{self.folder}:0:interface=127.0.0.1") as daemon,
            socket.create_connection(("127.0.0.1", daemon.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"moshez\r\n")
            self.assertEqual(client.recv(1000), HAPPY)

    def test_systemd(self) -> None:
        """systemd: takes over the socket that systemd has opened."""
        with socket.create_server(("127.0.0.1", 0)) as opened:
            arguments = ["finger", "--listen=systemd:domain=INET:index=0", "--no-setter"]
            with Daemon(
                "-c",
                f'exec 3<&{opened.fileno()}; export LISTEN_PID=$$; exec "$@"',
                "bash",
                TWISTD,
                "-n",
                "--pidfile=",
                *arguments,
                f"--users={self.users}",
                command=["bash"],
                environment={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "finger.socket"},
                passing=[opened.fileno()],
            ) as daemon:
                self.assertEqual(daemon.port, opened.getsockname()[1])
                self.assertEqual(daemon.ask(b"moshez\r\n"), HAPPY)
