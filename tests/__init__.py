"""
The tests, with pytest or with trial: a room for each room of the daemon, with the same name.

C{tests.support} is what they share. C{tests.attacks}, C{tests.fuzz}, C{tests.harvesting},
C{tests.kill} and C{tests.soak} are programs too, for longer runs: C{python -m tests.soak}.

C{HYPOTHESIS_PROFILE=deep} in the environment lets every property be tried with many examples
instead of a hundred. C{ci} tries the same ones each time; Hypothesis takes that by itself where
C{CI} is set, and C{default} elsewhere.
"""

from __future__ import annotations

import os

if _profile := os.environ.get("HYPOTHESIS_PROFILE"):
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "deep",
        max_examples=5_000,
        deadline=None,
        # What is too slow for a moment is not for an hour.
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(_profile)
