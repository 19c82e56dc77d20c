"""How many files, sockets included, the process may have open."""

from __future__ import annotations

import resource

from fingerd.model.limits import Limits

# What a daemon has open besides connections: files, pipes of programs, its own sockets.
_OTHERS = 256


def room(limits: Limits) -> int:
    """
    Let this process have as many descriptors open as it needs, if it may.

    @return: how many connections to finger ports there is room for: C{limits.connections}, or
        fewer where the system allows no more.
    """
    others = limits.setterConnections + limits.metricsConnections + limits.upstreamQueries
    others += limits.lingering + _OTHERS
    wanted = limits.connections + others
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    # Where the system allows very little, connections get half of it.
    return min(limits.connections, max(wanted - others, wanted // 2))
