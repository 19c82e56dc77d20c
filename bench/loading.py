"""What asks: the load generator, compiled where there is a C compiler."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.processes import cores, pinned
from bench.users import QUERY

HERE = Path(__file__).parent
# A load that is told to stop, or that has asked all it should, ends soon after.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Load:
    """
    What came of some queries. Latencies, from the connect to the answer's end, are in
    milliseconds; C{cpu} is what the load generator itself took, in seconds.
    """

    right: int
    wrong: int
    failed: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    max: float

    @property
    def faults(self) -> int:
        """Answers that were wrong or didn't come."""
        return self.wrong + self.failed

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.right / self.seconds

    @property
    def busy(self) -> float:
        """The share of the time in which the load generator had work to do: 1 is its limit."""
        return self.cpu / self.seconds


def compiled(name: str, folder: Path) -> str | None:
    """
    The program made of the C source of that name, in ``folder``; None where there is no compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    program = folder / name
    if not program.exists():
        subprocess.run([compiler, "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return str(program)


def generator(folder: Path) -> list[str]:
    """The command that runs the load generator."""
    program = compiled("load", folder)
    return [sys.executable, "-m", "bench.load"] if program is None else [program]


class Loading:
    """Clients that ask from now on."""

    def __init__(
        self,
        command: list[str],
        port: int,
        clients: int,
        users: range,
        *answers: str,
        queries: int = 0,
        query: str = QUERY,
        addresses: int = 4,
        pause: float = 0,
        delay: float = 0,
        core: int | None = None,
    ) -> None:
        """
        @param command: see L{generator}.
        @param users: the numbers of those who are asked for.
        @param answers: formats of what is right to answer.
        @param queries: how many are asked in all; until it is stopped, if 0.
        @param addresses: how many loopback addresses they connect from.
        @param pause: how long a client waits between two queries, in seconds.
        @param delay: how long it waits between the connection and the query, in seconds.
        @param core: where it runs: by default on the one that is not the server's.
        """
        words = [port, clients, queries, users.start, len(users), addresses]
        words += [int(pause * 1000), int(delay * 1000)]
        with pinned(cores()[1] if core is None else core):
            self._process = subprocess.Popen(
                [*command, *map(str, words), query, *answers],
                cwd=HERE.parent,
                stdout=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                # What stands behind a line that is read isn't read with it: it is the result.
                bufsize=0,
            )
        assert self._process.stdout is not None
        # By then it can be stopped.
        self._process.stdout.readline()

    def result(self, within: float = _PATIENCE) -> Load:
        """Wait until all is asked, for so many seconds at most, and say what came of it."""
        try:
            said, _ = self._process.communicate(timeout=within)
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        return Load(**json.loads(said))

    def stop(self) -> Load:
        """Let it ask no more, and say what came of it."""
        self._process.terminate()
        return self.result()
