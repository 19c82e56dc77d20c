"""
Writes the man pages (docs/man) and the completions (etc/completions) anew, as they follow from
the programs' options and from docs/options.md: C{python -m release}.
"""

from __future__ import annotations

from pathlib import Path

from release.completions import completions
from release.man_pages import pages

ROOT = Path(__file__).parent.parent


def files() -> dict[Path, str]:
    """What is to be in each of the files that are made."""
    return {ROOT / name: text for name, text in {**pages(), **completions()}.items()}


def main() -> None:
    """Write those that differ, and say which."""
    for path, text in files().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
