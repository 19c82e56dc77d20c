"""What pytest does beside running the tests."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from unittest import TestCase

import pytest
from hypothesis import HealthCheck, settings

from tests.support.daemon import ROOT

# How long an example takes says how busy the machine is. All else is as Hypothesis has it by
# default or, where CI is set, for CI: the same examples each time.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Many examples instead of a hundred.
settings.register_profile("deep", settings.get_profile("any"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "any"))

# What is found is written down.
_FIND_PLUGINS = "from twisted import plugin, plugins; plugin.getCache(plugins)"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """
    Most tests wait for processes and sockets: all of them are run by more workers than a small
    machine has cores. Those that are named on the command line are run by pytest itself.
    """
    return 6 if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


def pytest_sessionstart(session: pytest.Session) -> None:
    """
    Compile the daemon once, and look once for the plugins that twistd has. Hundreds of its
    processes are started, and most of them are a lesser user's, who can't write down what they have
    compiled and found: each would import every plugin of Twisted's again.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        compileall.compile_dir(ROOT / "fingerd", quiet=1)
        subprocess.run([sys.executable, "-c", _FIND_PLUGINS], check=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Where the tests of a class share what its C{setUpClass} makes, one worker runs them all. (The
    workers look for groups in a hook of this name too.)
    """
    for item in items:
        case = item.getparent(pytest.Class)
        if case and any("setUpClass" in vars(kind) for kind in case.obj.mro() if kind != TestCase):
            item.add_marker(pytest.mark.xdist_group(case.name))
