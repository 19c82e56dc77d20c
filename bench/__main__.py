"""
``python -m bench NAME``: measure, print the tables, and write them, the figures (JSON) and the
plots (PNG) to a folder. It ends with a status other than 0 if an answer was wrong or missing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

from bench import idle, memory, queries, reload, sharing, start, statuses, workers
from bench.machine import machine
from bench.report import Result, report

NAMES: dict[str, ModuleType] = {
    "queries": queries,
    "reload": reload,
    "idle": idle,
    "statuses": statuses,
    "sharing": sharing,
    "start": start,
    "memory": memory,
    "workers": workers,
}


def main(words: list[str]) -> int:
    """Measure what the command line asks for."""
    chosen = _parse(words)
    names = list(NAMES) if chosen.name == "all" else [chosen.name]
    # Before there is any load of our own.
    about = machine()
    results: list[Result] = []
    for name in names:
        arguments = chosen if name == chosen.name else _parse([name, *words[1:]])
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        result: Result = NAMES[name].measure(arguments)
        result.save(chosen.out, about)
        results.append(result)
        # Now, so that what was measured stays where the next bench fails.
        text = report(results, about)
        (chosen.out / f"{chosen.name}.md").write_text(text)
    print(text)
    return 1 if any(result.faults for result in results) else 0


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    benches = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in [*NAMES, "all"]:
        module = NAMES.get(name)
        about = "all of them, and one report" if module is None else (module.__doc__ or "")
        bench = benches.add_parser(name, help=about.strip().partition("\n")[0], description=about)
        bench.add_argument("--out", type=Path, default=Path("bench-results"), metavar="DIR")
        bench.add_argument("--quick", action="store_true", help="only to see that it works")
        if module is not None:
            module.options(bench)
            if "--quick" in words:
                bench.set_defaults(**module.QUICK)
            elif "--brief" in words:
                bench.set_defaults(**getattr(module, "BRIEF", {}))
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
