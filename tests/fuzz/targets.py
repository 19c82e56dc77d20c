"""All targets, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz import reading
from tests.fuzz.answering import Answering
from tests.fuzz.asking import Asking
from tests.fuzz.commanding import Commanding, Connecting
from tests.fuzz.setting import Setting

Target = Callable[[bytes], None]

# What makes each: some have a daemon behind them, and keep it from one input to the next.
TARGETS: Mapping[str, Callable[[], Target]] = {
    "query": Asking,
    "setter": Setting,
    "ssh": Connecting,
    "commands": Commanding,
    "upstream": Answering,
    "users": lambda: reading.users,
    "passwd": lambda: reading.passwd,
    "toml": lambda: reading.toml,
}

CORPUS = Path(__file__).parent / "corpus"
