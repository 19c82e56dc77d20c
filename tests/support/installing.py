"""Packages built and installed by pip, without asking a registry for anything."""

from __future__ import annotations

import sys

# What builds is installed beside the tests, and what is depended on too.
OFFLINE = ("--no-deps", "--no-build-isolation")
INSTALL = (
    *(sys.executable, "-m", "pip", "install", "-q", *OFFLINE),
    *("--disable-pip-version-check", "--root-user-action=ignore"),
)
