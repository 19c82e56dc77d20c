"""
Every limit of the daemon, with its default and its reason.

The table in docs/limits.md is this module's, line by line; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from fingerd.model.numbers import seconds, wholeNumber

__all__ = ["DEFAULTS", "Limits"]

# Clients that a port accepts before others have their turn. Twisted's own number grows as long as
# so many come: the bytes of those who are there then wait, until newcomers take their places.
ACCEPTED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes and times in seconds, unless a field's comment says otherwise."""

    # A request line, without its line end. No user's name comes near it.
    queryLength: int = 512
    # Users answered for in one query; scanners ask for eight at a time.
    namesPerQuery: int = 8
    # An answer, its last line and line ends included.
    answerSize: int = 256 * 1024
    # Users in one list: more of them take too long to be laid out in one go.
    listedUsers: int = 2000
    # What one directory has to say to the list: less than a lookup, so that one that is silent
    # costs nobody the others' users.
    directoryListTime: float = 4.0
    # A list is good for so long, unless a status is set here: it may be long, and many may ask.
    listKept: float = 1.0
    # Users whose full name matches one that was asked for (RFC 1288 2.5.3).
    matchedUsers: int = 10
    # Connections to all finger ports. For one more, the oldest is closed whose client doesn't wait
    # for a lookup.
    connections: int = 10_000
    # Those of one peer: an IPv4 address, or an IPv6 network of 64 bits, which is what one gets.
    peerConnections: int = 50
    # Names that one peer asks for in a minute, the list counted as one; after a rest it has all of
    # them at once.
    peerQueries: int = 300
    # Peers whose queries are counted: of more, those that have been silent longest are forgotten.
    peersCounted: int = 65_536
    # Bytes of answers that clients haven't taken yet: of more, the oldest of a peer
    # that has several is given up, or the oldest.
    unsentAnswers: int = 256 * 1024 * 1024
    # Connections to all setter ports. Statuses are set on this machine only.
    setterConnections: int = 500
    # Those of one user, of root too: whoever holds all they can get leaves most to others.
    userConnections: int = 100
    # Changes that a user who may not set everyone's asks for in a minute, each a line of the log;
    # after a rest all of them at once. A program that tells what is playing needs fewer. (To look
    # at what is set counts as a query does, as often as peerQueries.)
    userSettings: int = 60
    # Connections to all ssh ports: more than people who set their status in one moment...
    sshConnections: int = 200
    # ...and those of one peer. For one more, its own that has been silent longest is closed.
    sshPeerConnections: int = 20
    # Key exchanges of one peer in a minute: each takes some milliseconds of the processor's time.
    sshLogins: int = 300
    # Until an ssh client has logged in, from the connection's first moment...
    sshLoginTime: float = 10.0
    # ...and the attempts that it has: with each key that is not the right one, it makes one.
    sshAttempts: int = 3
    # What an ssh client sends until it has logged in: what it can do, and three keys...
    sshLoginBytes: int = 32 * 1024
    # ...and in all: the longest input, and what it takes to say who it is.
    sshBytes: int = 1024 * 1024
    # The standard input of a command...
    sshInput: int = 64 * 1024
    # ...and until it has ended: a command must not wait for ever for a terminal.
    sshInputTime: float = 15.0
    # A file of public keys, and what a TOML table has of them: a few hundred keys.
    sshKeys: int = 64 * 1024
    # Connections to all ports where the daemon is measured: some monitors and some people.
    metricsConnections: int = 50
    # A connection, from its first moment to its last, whatever the client does.
    connectionTime: float = 30.0
    # A load balancer's PROXY header, from the connection's first moment: it is sent at once, and
    # "at least 3 seconds" cover a segment that is lost once.
    proxyHeaderTime: float = 3.0
    # A PROXY header of version 2, with the extras that some balancers add; it is skipped.
    proxyHeaderSize: int = 4096
    # A lookup: nmap and Metasploit wait 5 seconds for the answer and no longer.
    lookupTime: float = 4.5
    # That somebody isn't known is said this long after the question, or at a multiple of it, where
    # a source had to be waited for: by the time that takes nobody can tell whom it hides.
    unknownTime: float = 0.01
    # A request to the web door, its line and headers together.
    webHeaders: int = 16 * 1024
    # Until all of it is there.
    webRequest: float = 10.0
    # A client of the web door that is answered, until it asks again.
    webIdle: float = 5.0
    # Finished pages that are kept, to be sent again where nothing has changed.
    webPages: int = 16 * 1024 * 1024
    # Statuses in the feed of all users: a reader looks every hour or so.
    webFeed: int = 50
    # Lookups that wait for a directory, for the disk or for another host; of more, each is
    # refused in words.
    lookups: int = 1000
    # Those of one peer that are under way at a time: a page of people at once, or four full
    # queries. Its others wait, so that a slow source has turns left for others.
    peerLookups: int = 32
    # What is read and thrown away behind a request, so that the answer isn't lost to a reset.
    bytesAfterRequest: int = 256 * 1024
    # Sockets of clients that have had a short answer and close at their leisure, no visitors any
    # more; of more, the oldest is closed. Else what a client sends late could cost it the answer.
    lingering: int = 1000
    # Another finger server that is asked for a user, or to be forwarded to: until it is connected,
    # its name looked up...
    upstreamConnectTime: float = 2.5
    # ...and until its answer is there. With the wait for a turn it fits into a lookup.
    upstreamTime: float = 3.5
    # What such a server may answer: as much as fits into an answer of ours.
    upstreamSize: int = 256 * 1024
    # Queries to one such server at once (and to all that are forwarded to, together)...
    upstreamQueries: int = 32
    # ...and queries waiting for one of these to end...
    upstreamWaiting: int = 128
    # ...for no longer than this: a server that hangs is said to hang at once.
    upstreamWait: float = 0.5
    # Host names looked up at once, by one directory or for forwarding. Each holds a thread, for
    # as long as the DNS likes.
    nameLookups: int = 4
    # A line to the setter, without its line end: a status is a line or a few, not a document.
    setterLineLength: int = 1024
    # A status, in UTF-8: as much as fits into such a line.
    statusSize: int = 1024
    # A status with an end, which is more than a year away: a mistake, or for good.
    statusTime: float = 366 * 86400.0
    # Lines of the log of any one kind that are written in this time, of refusals to set a status
    # those of one user; the others are counted. Of kinds that strangers can make up there are as
    # many.
    repeatsLogged: int = 20
    repeatsTime: float = 60.0
    # How much of a query the query log shows: names are shorter.
    queryLogged: int = 128
    # How much of the query log waits to be written, when the disk is full or slow: some tens of
    # thousands of lines. More are counted and lost.
    queryLogWaiting: int = 4 * 1024 * 1024
    # A stopping daemon: answers in flight get this long to be finished...
    stopTime: float = 5.0
    # ...and clients that have asked nothing yet get this long to ask.
    stopSilence: float = 1.0
    # A worker (--workers) that says nothing for so long hangs: it is ended, and another started.
    workerSilence: float = 30.0
    # A line of the users file.
    usersFileLine: int = 64 * 1024
    # A users file that changed this recently may still be being written: it is read later.
    usersFileQuiet: float = 1.0
    # What a TOML file can say of one user: no answer holds more.
    tomlUser: int = 256 * 1024
    # Reading a file of users goes on for so long (and to the end of the piece in hand), then others
    # have their turn.
    reloadSlice: float = 0.002
    # Threads that look up accounts and homes: what hangs holds one, and the others go on.
    passwdThreads: int = 8
    # Lookups that wait for one of these threads: a burst of clients, not a flood.
    passwdWaiting: int = 1000
    # Users whose names are looked up at once when they set a status, and who may wait for that.
    setterThreads: int = 4
    setterWaiting: int = 1000
    # Such a name is good for so long: whoever sets one status after the other is looked up once,
    # and one whose account was renamed has the new name soon enough.
    loginKept: float = 1.0
    # A file in a home: a plan is read by people, and a public key is a few kilobytes.
    homeFileSize: int = 64 * 1024
    # In characters, a part of an account's GECOS field: a name, an office, a phone.
    gecosPart: int = 256
    # How long an executed program takes, the wait for its turn included: less than a lookup has,
    # so that the log names the program.
    programTime: float = 4.0
    # What it may write: about as much as fits in an answer.
    programOutput: int = 256 * 1024
    # Characters that the log gets of what it writes to its standard error.
    programErrors: int = 500
    # Programs of one directory that run at once, each with memory of its own...
    programsAtOnce: int = 8
    # ...and lookups that wait for a turn: more than can have one in time would only wait.
    programsWaiting: int = 64
    # Connections to one database or LDAP server, each in a thread: as many lookups there at once...
    databaseThreads: int = 8
    # ...and lookups that wait for one of these threads: a burst of clients, not a flood.
    databaseWaiting: int = 1000
    # Connecting to it: whole seconds for PostgreSQL, at least 2, for each of its addresses.
    databaseConnectTime: float = 2.0
    # What it is asked takes no longer: less than a lookup has, so that the log names it.
    databaseTime: float = 3.5
    # A plan or a project that a user sets: as much as is read from a file in a home.
    planSize: int = 64 * 1024
    # Earlier plans kept for a user, and earlier projects...
    planHistory: int = 10
    # ...and earlier statuses, beside those that are still to show again...
    statusHistory: int = 100
    # Changes of all kinds that a user is told of at once.
    changesTold: int = 100
    # Earlier statuses that may wait under the one that shows.
    statusesBelow: int = 100
    # ...and earlier plans, and earlier projects, each of which is long, and held in memory.
    plansBelow: int = 10
    # Statuses that wait to be written: a disk that is slow or stuck doesn't fill the memory.
    statusesWaiting: int = 1000
    # Statuses written in one commit, or taken over in one go from another process: what has to
    # be done for each when they are safe holds up everything else for a few milliseconds.
    statusesAtOnce: int = 250
    # Histories that are read from the disk, one after the other: of more, each is refused in words.
    historiesWaiting: int = 100
    # Another process may have locked the statuses for this long; then setting is refused.
    statusesLocked: float = 3.0
    # What another process has set shows here after this long.
    statusesRefresh: float = 1.0
    # What was set is acknowledged when all workers (--workers) show it, or at the latest then.
    statusesShown: float = 0.1


DEFAULTS = Limits()

# Of what a process keeps, starts or holds open for itself, each of several workers has its part.
# (What they count together is not among these: see L{fingerd.system.shared_table}.)
_PARTED = (
    "peerLookups",
    "unsentAnswers",
    "lingering",
    "webPages",
    "upstreamQueries",
    "upstreamWaiting",
    "nameLookups",
    "queryLogWaiting",
    "repeatsLogged",
    "passwdThreads",
    "passwdWaiting",
    "setterThreads",
    "setterWaiting",
    "programsAtOnce",
    "programsWaiting",
    "databaseThreads",
    "databaseWaiting",
    "statusesWaiting",
    "historiesWaiting",
)


def ofEach(limits: Limits, workers: int) -> Limits:
    """The limits of each of so many workers, where C{limits} are those of all of them."""
    parts = {name: -(-getattr(limits, name) // workers) for name in _PARTED}
    return replace(limits, **parts)


def changed(limits: Limits, texts: Iterable[str]) -> Limits:
    """
    ``limits`` with some of them changed.

    @param texts: what to change, as ``NAME=VALUE``.
    @raise ValueError: for what is no limit, or can't be the value of one, in words.
    """
    kinds = {field.name: type(field.default) for field in fields(Limits)}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text}: it is written NAME=VALUE")
        if name not in kinds:
            like = get_close_matches(name, kinds, 1)
            raise ValueError(
                f"there is no limit called {name!r}" + (f"; is it {like[0]}?" if like else "")
            )
        values[name] = wholeNumber(value) if kinds[name] is int else seconds(value)
    return replace(limits, **values)
