"""The metrics with a real Prometheus, in a network of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from unittest import TestCase
from urllib.parse import quote

import pytest

from tests.support.daemon import PATIENCE, ROOT, TWISTD, needs, run
from tests.support.network import Network

pytestmark = pytest.mark.browsers

CONFIGURATION = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [rules.yml]
scrape_configs:
  - job_name: fingerd
    static_configs:
      - targets: ["127.0.0.1:9079"]
"""


class PrometheusTests(TestCase):
    """One daemon, and a Prometheus that scrapes it."""

    def setUp(self) -> None:
        needs("prometheus", "promtool", "curl")
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "prometheus.yml").write_text(CONFIGURATION)
        (self.folder / "rules.yml").write_text(rules())
        self.network = self.enterContext(Network())
        local = "interface=127.0.0.1"
        self.daemon = self.enterContext(
            self.network.daemon(
                *(TWISTD, "-n", "--pidfile=", "finger", "--no-setter", f"--listen=tcp:79:{local}"),
                f"--metrics=tcp:9079:{local}",
            )
        )

    def test_promtool(self) -> None:
        """promtool finds nothing to say about the metrics, nor about the alerts of the page."""
        self.network.run("nc", "-q1", "127.0.0.1", "79", stdin=b"moshez\r\n")
        metrics = self.network.run("curl", "-s", "http://127.0.0.1:9079/metrics")
        self.assertIn(b'fingerd_queries_total{door="tcp",outcome="found"} 1.0', metrics)
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=metrics,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        run("promtool", "check", "rules", str(self.folder / "rules.yml"))

    def test_scrape(self) -> None:
        """Prometheus scrapes the daemon, and can answer every query of the dashboard."""
        prometheus = subprocess.Popen(
            [
                *(*self.network.inside, "prometheus", "--web.listen-address=127.0.0.1:9090"),
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/data",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # Two scrapes, so that there are rates.
            while self.value("count_over_time(fingerd_ready[1m])") < 3:
                self.assertIsNone(prometheus.poll())
            self.assertEqual(self.value("fingerd_ready"), 1)
            self.assertEqual(self.value('up{job="fingerd"}'), 1)
            self.assertEqual(self.value("fingerd_directory_users"), 6)
            queries = 'fingerd_queries_total{door="metrics",outcome="found"}'
            self.assertGreaterEqual(self.value(queries), 2)
            for asked in dashboard():
                self.assertEqual(self.asked(asked)["status"], "success", asked)
            while "unknown" in self.health():
                self.assertIsNone(prometheus.poll())
            self.assertEqual(self.health(), {"ok"})
        finally:
            prometheus.terminate()
            prometheus.wait(PATIENCE)

    def get(self, what: str) -> Any:
        """What Prometheus says, or nothing where it doesn't answer yet."""
        url = f"http://127.0.0.1:9090/api/v1/{what}"
        # Once more after a second, where nobody is there yet.
        patient = "--retry", "1", "--retry-connrefused", "--retry-delay", "1"
        said = run(*self.network.inside, "curl", "-s", *patient, url, check=False)
        return json.loads(said) if said.startswith(b"{") else {}

    def health(self) -> set[str]:
        """How Prometheus did with the alerts: C{ok}, an error, or C{unknown} before it tried."""
        groups = self.get("rules")["data"]["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}

    def asked(self, query: str) -> Any:
        """What Prometheus answers to a query."""
        return self.get(f"query?query={quote(query)}")

    def value(self, query: str) -> float:
        """The one value that a query has; 0 where it has none yet."""
        found = self.asked(query).get("data", {}).get("result", [])
        return float(found[0]["value"][1]) if found else 0


def rules() -> str:
    """The alerts in docs/metrics.md."""
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8").partition("## Alerts")[2]
    found = re.search(r"```yaml\n(.*?)```", text, re.S)
    assert found is not None
    return found[1]


def dashboard() -> list[str]:
    """The queries of the dashboard, with what Grafana puts into them."""
    panels = json.loads((ROOT / "etc" / "grafana-fingerd.json").read_text("utf-8"))["panels"]
    return [
        target["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m")
        for panel in panels
        for target in panel["targets"]
    ]
