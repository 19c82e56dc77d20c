"""The metrics door, as Prometheus and health checks meet it."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, cast
from unittest.mock import patch

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fingerd.daemon.doors import listenerOf
from fingerd.directories.users_file import UsersFile
from fingerd.doors.metrics.metrics_door import listener
from fingerd.model.counts import LAG_TIMES, REFUSING, Times
from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IDirectory
from fingerd.model.limits import DEFAULTS, Limits
from fingerd.model.policy import SetPolicy
from fingerd.model.rules import Rules
from fingerd.model.user import User
from fingerd.stores.memory import MemoryStore
from fingerd.system.lag import Lag
from tests.doors.web import Response, responses
from tests.support.daemon import ROOT
from tests.support.ports import TIME, Directory, Sockets, failing, temporaryFolder, until
from tests.support.service import Finger

ANYONE = Rules(setting=SetPolicy(anyone=True))
# What is in the text: a name, its labels, and a value.
SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")


def samples(text: str) -> dict[str, float]:
    """The values in what /metrics says, by name and labels."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            found[line.rpartition(" ")[0]] = float(match[3])
    return found


def names(text: str) -> set[str]:
    """The names of fingerd's metrics, and of the process's, that a text has in it."""
    return set(re.findall(r"\b(?:fingerd|process)_[a-z_]+", text))


class MetricsCase(Sockets):
    """A test that asks a metrics port on loopback."""

    def measured(
        self,
        *directories: IDirectory,
        limits: Limits = DEFAULTS,
        store: MemoryStore | None = None,
        **users: str,
    ) -> Finger:
        """A service whose doors are all open."""
        self.finger = Finger(TIME, directories, store, limits, ANYONE, **users)
        self.finger.startService()
        self.addCleanup(self.finger.stopService)
        self.port = self.listen(self.finger.getFingerFactory())
        self.setter = self.listen(self.finger.getFingerSetterFactory())
        self.metrics = self.door(limits)
        return self.finger

    def door(self, limits: Limits = DEFAULTS, **options: Any) -> int:
        """Open a metrics door, and give its port."""
        opened = listener(
            self.finger, "tcp:0:interface=127.0.0.1", reactor, limits, None, ["file"], **options
        )
        opened.startService()
        self.addCleanup(opened.stopService)
        return cast(int, cast(Any, opened.address).port)

    async def get(self, path: str = "/metrics", *lines: str, method: str = "GET") -> Response:
        """What the metrics door says."""
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines])
        data = await self.ask(self.metrics, f"{head}\r\n\r\n".encode("latin-1"))
        (response,) = responses(data, bodies=method != "HEAD")
        return response

    async def values(self) -> dict[str, float]:
        """All that is measured, as it is now."""
        response = await self.get()
        self.assertEqual(response.status, 200)
        return samples(response.text)


class CountingTests(MetricsCase):
    """What is counted."""

    async def test_queries(self) -> None:
        """Every query is counted by its door and by what became of it, whichever way it goes."""
        self.measured(moshez="Happy")
        for query, outcome in (
            (b"moshez\r\n", "found"),
            (b"/W moshez\r\n", "found"),
            (b"x\r\n", "unknown"),
            (b"\r\n", "list"),
            (b"moshez x\r\n", "several"),
            (b"moshez@example.com\r\n", "refused"),
            (b"x" * 600 + b"\r\n", "too-long"),
        ):
            name = f'fingerd_queries_total{{door="tcp",outcome="{outcome}"}}'
            before = (await self.values()).get(name, 0)
            await self.ask(self.port, query)
            self.assertEqual((await self.values())[name], before + 1, query)
        values = await self.values()
        self.assertEqual(values['fingerd_query_duration_seconds_count{door="tcp"}'], 7)
        self.assertEqual(values['fingerd_refusals_total{limit="queryLength"}'], 1)

    async def test_durations(self) -> None:
        """An answer that took long is in the buckets of long times only."""
        wait: Deferred[User | None] = Deferred()
        slow = Directory(lambda login: wait)
        self.measured(slow)
        asked = self.ask(self.port, b"moshez\r\n")
        client = Deferred.fromCoroutine(asked)
        await until(lambda: slow.asked)
        TIME.callLater(0.06, wait.callback, User("moshez"))
        await client
        values = await self.values()
        bucket = 'fingerd_query_duration_seconds_bucket{door="tcp",le="%s"}'
        self.assertEqual([values[bucket % bound] for bound in (0.0001, 0.05, "+Inf")], [0, 0, 1])
        self.assertGreater(values['fingerd_query_duration_seconds_sum{door="tcp"}'], 0.05)

    async def test_connections(self) -> None:
        """Connections count as long as they are open, by their door."""
        self.measured(limits=Limits(connections=5, setterConnections=7))
        clients = [await self.connect(self.port) for _ in range(3)]
        clients.append(await self.connect(self.setter))
        await until(lambda: len(self.finger.visits) == 3 and len(self.finger.setters) == 1)
        values = await self.values()
        self.assertEqual(values['fingerd_connections{door="tcp"}'], 3)
        self.assertEqual(values['fingerd_connections{door="setter"}'], 1)
        self.assertEqual(values['fingerd_connections{door="metrics"}'], 1)
        self.assertEqual(values['fingerd_connections_limit{limit="connections"}'], 5)
        self.assertEqual(values['fingerd_connections_limit{limit="setterConnections"}'], 7)
        for client in clients:
            client.transport.loseConnection()
            await client.closed
        await until(lambda: not len(self.finger.visits))
        self.assertNotIn('fingerd_connections{door="tcp"}', await self.values())

    async def test_refusals(self) -> None:
        """Whoever comes to a limit is counted under its name."""
        limits = Limits(peerQueries=2, peerConnections=2, connectionTime=0.2)
        self.measured(moshez="Happy", limits=limits)
        silent = [await self.connect(self.port) for _ in range(3)]
        for client in silent:
            await client.closed
        for query in (b"moshez\r\n", b"moshez\r\n", b"moshez\r\n", b"/W moshez\r\n"):
            await self.ask(self.port, query)
        values = await self.values()
        counted = {
            limit: values[f'fingerd_refusals_total{{limit="{limit}"}}'] for limit in REFUSING
        }
        expected = {"peerConnections": 1, "connectionTime": 2, "peerQueries": 2}
        self.assertEqual(counted, {**dict.fromkeys(REFUSING, 0), **expected})
        self.assertEqual(values['fingerd_queries_total{door="tcp",outcome="limited"}'], 2)

    async def test_places(self) -> None:
        """So is whoever has to make room for another."""
        self.measured(limits=Limits(connections=1, setterConnections=1))
        for port, limit in ((self.port, "connections"), (self.setter, "setterConnections")):
            for _ in range(2):
                await self.connect(port)
            name = f'fingerd_refusals_total{{limit="{limit}"}}'
            while not (await self.values())[name]:
                pass

    def test_limits(self) -> None:
        """What clients can come to are limits that there are."""
        for name in REFUSING:
            self.assertTrue(hasattr(DEFAULTS, name), name)

    async def test_statuses(self) -> None:
        """A status is set, refused, or fails to be kept."""
        store = MemoryStore(lambda: 1.0)
        self.measured(store=store, moshez="Happy")
        await self.ask(self.setter, b"moshez\nBusy\n")
        await self.ask(self.setter, b"nobody\nBusy\n")
        await self.ask(self.setter, b"moshez\n", halfClose=True)
        self.patch(store, "set", lambda *_: fail(SettingRefused("Not set: no room")))
        await self.ask(self.setter, b"moshez\nBusy\n")
        values = await self.values()
        counted = [
            values[f'fingerd_statuses_total{{outcome="{outcome}"}}']
            for outcome in ("set", "refused", "failed")
        ]
        self.assertEqual(counted, [1, 2, 1])
        self.assertEqual(values['fingerd_queries_total{door="setter",outcome="set"}'], 1)

    async def test_directories(self) -> None:
        """Lookups are counted for each directory: those that end, fail and are given up."""
        self.measured(failing(DirectoryError("It burns")), moshez="Happy")
        name = 'fingerd_directory_lookups_total{directory="%s",kind="%s",outcome="%s"}'
        for query in (b"moshez\r\n", b"/W moshez\r\n", b"x\r\n"):
            await self.ask(self.port, query)
        values = await self.values()
        self.assertEqual(values[name % (1, "file", "answered")], 3)
        self.assertEqual(values[name % (2, "", "answered")], 0)
        self.assertEqual(values[name % (2, "", "failed")], 1)
        await self.ask(self.port, b"\r\n")
        values = await self.values()
        self.assertEqual(values[name % (1, "file", "answered")], 4)
        self.assertEqual(values[name % (2, "", "answered")], 1)
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    async def test_gone(self) -> None:
        """A client that goes away has ended its lookup, and no directory has failed."""
        slow = Directory(lambda login: Deferred())
        self.measured(slow)
        client = await self.connect(self.port)
        client.transport.write(b"moshez\r\n")
        await until(lambda: slow.asked)
        client.transport.abortConnection()
        await client.closed
        name = 'fingerd_directory_lookups_total{directory="1",kind="file",outcome="%s"}'
        while not (await self.values())[name % "ended"]:
            pass
        values = await self.values()
        self.assertEqual([values[name % each] for each in ("answered", "failed")], [0, 0])
        self.assertEqual(values['fingerd_queries_total{door="tcp",outcome="gone"}'], 1)

    async def test_reloads(self) -> None:
        """A file of users tells when it was read, and whether it can be read again."""
        path = temporaryFolder(self) / "users"
        path.write_text("moshez: Happy\nradix: Writing\n")
        now = 1_800_000_000.0
        users = UsersFile(str(path), TIME, Limits(usersFileQuiet=0.001), now=lambda: now)
        finger = self.measured(users)
        label = '{directory="1",kind="file"}'

        async def said(*names: str) -> list[float]:
            values = await self.values()
            return [values[f"fingerd_directory_{name}{label}"] for name in names]

        reads = "users", "reloads_total", "reload_failures_total", "reload_failing"
        self.assertEqual(await said(*reads), [2, 1, 0, 0])
        self.assertEqual(await said("reload_timestamp_seconds"), [now])
        path.write_bytes(b"moshez: \0\n")
        now += 10
        await finger.reload()
        await finger.reload()
        self.assertEqual(await said(*reads), [2, 1, 1, 1])
        self.assertEqual(await said("reload_timestamp_seconds"), [now - 10])
        path.write_text("moshez: Happy\n")
        await finger.reload()
        self.assertEqual(await said(*reads), [1, 2, 1, 0])
        self.assertEqual(await said("reload_timestamp_seconds"), [now])

    async def test_secrets(self) -> None:
        """Nobody's login, name, address or status is in it."""
        self.measured(secretlogin="secretstatus")
        await self.ask(self.port, b"secretlogin\r\n")
        await self.ask(self.port, b"secretquery secretother@secrethost\r\n")
        await self.ask(self.setter, b"secretlogin\nsecretnew\n")
        await self.connect(self.port)
        text = (await self.get()).text
        self.assertNotIn("secret", text)
        self.assertNotIn("127.0.0.1", text)


class LagTests(SynchronousTestCase):
    """How late the reactor is."""

    def test_late(self) -> None:
        """A timer that is late is counted as late as it was, and one that isn't as in time."""
        clock = Clock()
        times = Times(LAG_TIMES)
        lag = Lag(clock, times)
        lag.startService()
        clock.advance(0.1)
        clock.advance(0.1 + 0.07)
        lag.stopService()
        clock.advance(1)
        self.assertEqual(sum(times.numbers), 2)
        self.assertEqual(times.numbers[0], 1)
        self.assertEqual(times.numbers[LAG_TIMES.index(0.1)], 1)
        self.assertAlmostEqual(times.seconds, 0.07)
        self.assertEqual(clock.getDelayedCalls(), [])


class PageTests(MetricsCase):
    """What there is at which address."""

    async def test_health(self) -> None:
        """The daemon is ready when what it needs runs and its doors are open, and not before."""
        isOpen = False
        users = UsersFile(str(ROOT / "etc" / "users.example"), TIME)
        self.measured(users)
        self.metrics = self.door(open=lambda: isOpen)

        async def ready() -> tuple[int, str, float]:
            response = await self.get("/healthz")
            return response.status, response.text, (await self.values())["fingerd_ready"]

        self.assertEqual(await ready(), (503, "not ready\n", 0))
        isOpen = True
        self.assertEqual(await ready(), (200, "ready\n", 1))
        users.stopService()
        self.assertEqual(await ready(), (503, "not ready\n", 0))

    async def test_forms(self) -> None:
        """Prometheus gets the form that it asks for, and anybody else plain text."""
        self.measured()
        plain = await self.get()
        self.assertTrue(plain.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        wanted = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
        open = await self.get("/metrics", f"Accept: {wanted}")
        self.assertTrue(open.headers["Content-Type"].startswith("application/openmetrics-text"))
        self.assertTrue(open.text.endswith("# EOF\n"))
        self.assertEqual(plain.headers["Cache-Control"], "no-store")
        for version in ("\xff", "1.x", "", "99.99.99", "-1"):
            for kind in ("application/openmetrics-text", "text/plain"):
                strange = await self.get("/metrics", f"Accept: {kind};version={version}")
                self.assertEqual(strange.status, 200, version)

    async def test_others(self) -> None:
        """Nothing else is there, nothing can be sent, and HEAD sends no body."""
        self.measured()
        for path in ("/", "/moshez", "/metrics/", "/..%2fmetrics"):
            self.assertEqual((await self.get(path)).status, 404, path)
        self.assertEqual((await self.get(method="DELETE")).status, 405)
        self.assertEqual(
            (await self.get("/metrics", "Content-Length: 5", method="POST")).status, 413
        )
        head = await self.get(method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))

    async def test_flood(self) -> None:
        """A flood at the finger port keeps no monitor out."""
        self.measured(limits=Limits(connections=2, peerConnections=2, peerQueries=1))
        silent = [await self.connect(self.port) for _ in range(4)]
        for _ in range(3):
            await self.values()
        for client in silent:
            client.transport.abortConnection()
            await client.closed


class StartTests(SynchronousTestCase):
    """What can be wrong from the start."""

    def test_extra(self) -> None:
        """Without prometheus-client the daemon says what to install."""
        door = "fingerd.doors.metrics.metrics_door"
        with patch.dict(sys.modules, {"prometheus_client.registry": None}):
            for name in (door, "fingerd.doors.metrics.figures_collector"):
                del sys.modules[name]
            error = self.assertRaises(
                ValueError, listenerOf, "metrics", "tcp:0", Finger(Clock()), reactor, DEFAULTS
            )
        self.assertEqual(str(error), "it needs an extra: pip install 'fingerd[metrics]'")


class PagesTests(MetricsCase):
    """The dashboard and the page, compared with what is measured."""

    async def exported(self) -> set[str]:
        """The names that /metrics has."""
        self.measured(UsersFile(str(ROOT / "etc" / "users.example"), TIME), moshez="Happy")
        await self.ask(self.port, b"moshez\r\n")
        return {name.partition("{")[0] for name in await self.values()}

    async def test_dashboard(self) -> None:
        """Every query of the dashboard is about metrics that there are, and all are on it."""
        dashboard = json.loads((ROOT / "etc" / "grafana-fingerd.json").read_text("utf-8"))
        asked = {
            name
            for panel in dashboard["panels"]
            for target in panel["targets"]
            for name in names(target["expr"])
        }
        exported = await self.exported()
        self.assertEqual(asked - exported, set())
        base = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
        left = {re.sub("_(bucket|sum|count)$", "", name) for name in exported} - base
        self.assertEqual({name for name in left if name.startswith("fingerd")}, set())

    async def test_page(self) -> None:
        """The page has a line for every metric, and its alerts are about metrics that there are."""
        text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
        exported = await self.exported()
        base = {re.sub("_(bucket|sum|count)$", "", name) for name in exported}
        table = "".join(line for line in text.splitlines() if line.startswith("|"))
        self.assertEqual(names(table), base)
        self.assertEqual(names(text) - exported - base, set())
