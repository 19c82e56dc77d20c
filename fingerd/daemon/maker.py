"""
What twistd imports of the daemon first: the signals that would end a daemon that can't follow them
yet are held back while all the rest is imported and started.
"""

from __future__ import annotations

from fingerd.system.signals import hold

hold()

from fingerd.daemon.tap import Options, makeService  # noqa: E402  # (It takes a while.)

__all__ = ["Options", "makeService"]
