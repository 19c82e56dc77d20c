"""How a query would come to the daemon, and where it would go on to: what is said of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.interfaces import IReactorTCP

from fingerd.daemon.option import login
from fingerd.doors.net.balancers import parseBalancers
from fingerd.model.limits import Limits
from fingerd.model.query import Name, parse
from fingerd.remote.forwarding import Forwarder
from fingerd.remote.hosts import canonicalHost, hostAndPort
from fingerd.system.addresses import parseIP

_PORT = 79


def asked(text: str) -> Name:
    """
    What C{--explain} is to ask for: a login, or a user of another host as in C{alice@host}.

    @raise ValueError: for what is neither.
    """
    names = parse(text.encode("utf-8", "replace")).names
    if len(names) != 1:
        raise ValueError("it is one login, or one at a host, as alice@example.com")
    user, host = names[0]
    if host is None:
        login(text)
    else:
        canonicalHost(host)
    return Name(user, host)


def coming(address: str, proxied: Sequence[str]) -> Iterator[str]:
    """
    What C{--proxy-from} means to a client.

    @param address: where its connection comes from.
    @param proxied: the networks that the option has.
    """
    if not proxied:
        return
    balancers = parseBalancers(proxied)
    if balancers.listed(parseIP(address)):
        yield (
            f"{address} is a load balancer's (--proxy-from): a connection from there must begin "
            "with a PROXY header, and the client is who that names; without one it is closed. "
            "Below, the header names the balancer itself: ask for a client with its own --from"
        )
    else:
        yield (
            f"{address} is no load balancer's (--proxy-from {', '.join(proxied)}): "
            "it counts as itself, and a PROXY header from there is taken for a query"
        )


def goingOn(
    name: Name, hosts: Sequence[str], reactor: IReactorTCP, limits: Limits
) -> tuple[str, bool]:
    """
    Whether a query for a user of another host would be forwarded, and where to. Nobody is asked,
    and no name is looked up.

    @param hosts: the hosts that C{--forward} has.
    @return: that in words, and whether it would be.
    """
    if not hosts:
        return f"not forwarded to {name.host}: there is no --forward", False
    host = Forwarder(hosts, list, reactor, limits, port=_PORT).goesTo(name)
    if host is None:
        return (
            f"not forwarded to {name.host}: --forward has {', '.join(hosts)}, "
            "and two hops at most are made",
            False,
        )
    try:
        parseIP(host)
    except ValueError:
        looked = (
            "; its addresses are looked up then, and one that isn't public "
            "is asked only where --forward names it"
        )
    else:
        looked = ""
    what = f"for {name.user}" if name.user else "for its list"
    return f"forwarded to {hostAndPort(host, _PORT)}, which is asked {what}{looked}", True
