"""What is counted, and what a process takes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SHOWN = 20


@dataclass
class Counts:
    """
    What was seen.

    @ivar latencies: by kind, the seconds that each good query took.
    @ivar others: by kind, how often everything else was done.
    @ivar wrong: what was not as it should be, in words.
    """

    latencies: dict[str, list[float]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def answered(self, kind: str, seconds: float) -> None:
        """A good query was answered right."""
        self.latencies.setdefault(kind, []).append(seconds)

    def table(self) -> str:
        """The figures, for people."""
        lines = [f"{'answered right':<24}{'count':>8}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}"]
        everything = [seconds for some in self.latencies.values() for seconds in some]
        for kind, some in [*sorted(self.latencies.items()), ("all", everything)]:
            ordered = sorted(some) or [0.0]
            at = [ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.99, 1)]
            lines.append(f"{kind:<24}{len(some):>8}" + "".join(f"{ms:>10.1f}" for ms in at))
        lines += ["", f"{'beside them':<24}{'count':>8}"]
        lines += [f"{kind:<24}{count:>8}" for kind, count in sorted(self.others.items())]
        lines += ["", f"wrong: {len(self.wrong)}", *self.wrong[:_SHOWN]]
        return "\n".join(lines)


@dataclass(frozen=True)
class Taken:
    """What a process takes: its memory in bytes, its CPU time in seconds, and how many of each."""

    memory: int
    descriptors: int
    threads: int
    children: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.memory / 2**20:7.1f} MiB resident, {self.descriptors} descriptors, "
            f"{self.threads} threads, {self.children} children, {self.seconds:.1f} s of CPU"
        )


def taken(pid: int) -> Taken:
    """What the process takes now."""
    process = Path(f"/proc/{pid}")
    # Behind the name, which may hold anything: see proc(5).
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    tasks = list((process / "task").iterdir())
    return Taken(
        memory=int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(os.listdir(process / "fd")),
        threads=len(tasks),
        children=sum(len((task / "children").read_text().split()) for task in tasks),
        seconds=(int(fields[11]) + int(fields[12])) / _TICKS,
    )


def catches(pid: int, number: int) -> bool:
    """Whether the process does something of its own at that signal."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name == "SigCgt":
            return bool(int(mask, 16) >> (number - 1) & 1)
    return False
