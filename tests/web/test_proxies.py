"""The web door behind nginx and Caddy, set up word for word as docs/web.md has it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import TestCase

import pytest

from tests.support.daemon import PATIENCE, ROOT, TWISTD, Daemon, needs, run
from tests.support.network import Network

pytestmark = pytest.mark.browsers

# What has to be around the page's configuration: nothing of it is about the daemon behind.
NGINX = """
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""
CADDY = """
{{
	local_certs
	skip_install_trust
	admin off
	storage file_system {folder}/caddy
}}
{site}
"""


class ProxyTests(TestCase):
    """A network of its own for each, so that the ports are those of the page."""

    def setUp(self) -> None:
        needs("nginx", "caddy", "curl", "openssl")
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.network = self.enterContext(Network())

    def section(self, proxy: str, kind: str) -> tuple[list[str], str]:
        """The daemon's options and the proxy's configuration, as the page has them."""
        text = (ROOT / "docs" / "web.md").read_text("utf-8").partition(f"## Behind {proxy}")[2]
        command = re.search(r"^    twistd -n finger (.*)$", text, re.M)
        site = re.search(rf"```{kind}\n(.*?)```", text, re.S)
        assert command is not None and site is not None
        options = self.placed(command[1], "/run/fingerd/web").split()
        return options, self.placed(site[1], "/run/fingerd/web")

    def placed(self, text: str, *paths: str) -> str:
        """A text with other places for these files, which are this machine's own."""
        for path in paths:
            self.assertIn(path, text)
            text = text.replace(path, f"{self.folder}/{Path(path).name}")
        return text

    def daemon(self, options: Sequence[str]) -> Daemon:
        """The daemon that the page starts, with a log of queries."""
        return self.enterContext(
            self.network.daemon(
                *(TWISTD, "-n", "--pidfile=", "finger", *options, "--query-log=-"),
                *("--listen=tcp:79:interface=127.0.0.1", "--no-setter"),
            )
        )

    def start(self, *command: str) -> None:
        """Start a proxy, and wait until it answers."""
        proxy = subprocess.Popen(
            [*self.network.inside, "env", f"HOME={self.folder}", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def stop() -> None:
            proxy.terminate()
            try:
                proxy.wait(PATIENCE)
            finally:
                proxy.kill()

        self.addCleanup(stop)
        patient = "--retry", "30", "--retry-connrefused", "--retry-delay", "1"
        self.assertTrue(self.get("/moshez", *patient).startswith(b"Happy"), proxy.poll())

    def get(self, path: str, *options: str) -> bytes:
        """What curl gets from https://example.com, as somebody at 127.0.0.7."""
        return run(
            *(*self.network.inside, "curl", "-sk", "--max-time", "20"),
            *("--interface", "127.0.0.7", "--resolve", "example.com:443:127.0.0.1"),
            *(*options, f"https://example.com{path}"),
        )

    def check(self, daemon: Daemon) -> None:
        """All that a proxy may get wrong."""
        head = self.get("/moshez", "-I", "-H", "Accept: text/html")
        self.assertRegex(head, rb"^HTTP/\S+ 200")
        self.assertIn(b'rel="canonical" href="https://example.com/moshez"', self.page("/moshez"))
        tag = re.search(rb"(?i)\r\netag: ([^\r]*)", head)
        assert tag is not None
        again = ("-H", "Accept: text/html", "-H", f"If-None-Match: {tag[1].decode()}")
        self.assertEqual(self.status("/moshez", *again), 304)
        self.assertEqual(self.status("/nobody"), 404)
        self.assertEqual(self.status("/moshez", "-X", "DELETE"), 405)
        self.assertIn(self.status("/moshez", "-d", "a body"), (405, 413))
        finger = json.loads(self.get("/.well-known/webfinger?resource=acct:moshez@example.com"))
        self.assertEqual(finger["aliases"], ["https://example.com/moshez"])
        # A client that says it is somewhere else isn't believed.
        self.get("/glyph", "-H", "X-Forwarded-For: 192.0.2.9")
        daemon.says(r'"peer":"127\.0\.0\.7","door":"web","query":"GET /glyph"')
        self.assertNotIn("192.0.2.9", "\n".join(daemon.log))
        self.assertNotIn("Traceback", "\n".join(daemon.log))
        said = self.network.run("nc", "-q1", "127.0.0.1", "79", stdin=b"moshez\r\n")
        self.assertTrue(said.startswith(b"Happy"))

    def page(self, path: str) -> bytes:
        """A page, in HTML."""
        return self.get(path, "-H", "Accept: text/html")

    def status(self, path: str, *options: str) -> int:
        """The status with which an address is answered."""
        return int(self.get(path, *options, "-o", "/dev/null", "-w", "%{http_code}"))

    def test_nginx(self) -> None:
        """Behind nginx the pages are there, and the daemon knows where clients are."""
        options, site = self.section("nginx", "nginx")
        pair = "/etc/ssl/example.com.pem", "/etc/ssl/example.com.key"
        certificate, key = (f"{self.folder}/{Path(path).name}" for path in pair)
        run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=example.com", "-out", certificate, "-keyout", key),
        )
        file = self.folder / "nginx.conf"
        file.write_text(NGINX.format(folder=self.folder, site=self.placed(site, *pair)))
        daemon = self.daemon(options)
        self.start("nginx", "-c", str(file))
        self.check(daemon)

    def test_caddy(self) -> None:
        """So are they behind Caddy."""
        options, site = self.section("Caddy", "caddy")
        file = self.folder / "Caddyfile"
        file.write_text(CADDY.format(folder=self.folder, site=site))
        daemon = self.daemon(options)
        self.start("caddy", "run", "--config", str(file), "--adapter", "caddyfile")
        self.check(daemon)
