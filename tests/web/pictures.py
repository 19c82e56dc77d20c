"""
Takes the pictures in docs/web.md: python -m tests.web.pictures. It needs what the tests of this
folder need.
"""

from __future__ import annotations

from tests.support.daemon import ROOT
from tests.web.test_clients import ClientTests

# A name, a path, a width, a height and whether it is dark.
PICTURES = (
    ("user", "/moshez", 1280, 800, False),
    ("user-dark", "/moshez", 1280, 800, True),
    ("user-phone", "/moshez", 375, 812, True),
    ("list", "/", 1280, 800, False),
    ("list-phone", "/", 375, 812, False),
    ("list-phone-dark", "/", 375, 812, True),
    ("hebrew-phone", "/rivka", 375, 620, False),
)


def main() -> None:
    """Take them."""
    ClientTests.setUpClass()
    try:
        folder = ROOT / "docs" / "web"
        folder.mkdir(exist_ok=True)
        ClientTests().look(
            *(
                {
                    "url": ClientTests.url + path,
                    "width": width,
                    "height": height,
                    "dark": dark,
                    "picture": str(folder / f"{name}.png"),
                }
                for name, path, width, height, dark in PICTURES
            )
        )
    finally:
        ClientTests.doClassCleanups()


if __name__ == "__main__":
    main()
