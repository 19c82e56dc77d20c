"""
Every limit of the daemon, with its default and its reason.

The README's table of limits is this module's, line by line; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes and times in seconds, unless a field's comment says otherwise."""

    # A request line, without its line end. No user's name comes near it.
    queryLength: int = 512
    # Users answered for in one query; scanners ask for eight at a time.
    namesPerQuery: int = 8
    # An answer, its last line and line ends included.
    answerSize: int = 256 * 1024
    # Users in one list: about as many as fill an answer.
    listedUsers: int = 5000
    # A connection, from its first moment to its last, whatever the client does.
    connectionTime: float = 30.0
    # A lookup: nmap and Metasploit wait 5 seconds for the answer and no longer.
    lookupTime: float = 4.5
    # What is read and thrown away behind a request, so that the answer isn't lost to a reset.
    bytesAfterRequest: int = 256 * 1024
    # A line to the setter, without its line end: a status is a line or a few, not a document.
    setterLineLength: int = 1024
    # A stopping daemon: answers in flight get this long to be finished...
    stopTime: float = 5.0
    # ...and clients that have asked nothing yet get this long to ask.
    stopSilence: float = 1.0
    # A line of the users file.
    usersFileLine: int = 64 * 1024
    # A users file that changed this recently may still be being written: it is read later.
    usersFileQuiet: float = 1.0
    # What a TOML file can say of one user: no answer holds more.
    tomlUser: int = 256 * 1024
    # A process that reads a file and says nothing for so long is given up.
    readingSilence: float = 30.0
    # The longest that reading a users file holds up everything else, in one go.
    reloadSlice: float = 0.002
    # Threads that look up accounts and homes: what hangs holds one, and the others go on.
    passwdThreads: int = 8
    # Lookups that wait for one of these threads: a burst of clients, not a flood.
    passwdWaiting: int = 1000
    # A file in a home: a plan is read by people, and a public key is a few kilobytes.
    homeFileSize: int = 64 * 1024
    # In characters, a part of an account's GECOS field: a name, an office, a phone.
    gecosPart: int = 256
    # An executed program, the wait for its turn included: less than a lookup has, so that the
    # log names the program.
    programTime: float = 4.0
    # What it may write: about as much as fits in an answer.
    programOutput: int = 256 * 1024
    # Characters that the log gets of what it writes to its standard error.
    programErrors: int = 500
    # Programs of one directory that run at once, each with memory of its own...
    programsAtOnce: int = 8
    # ...and lookups that wait for a turn: more than can have one in time would only wait.
    programsWaiting: int = 64


DEFAULTS = Limits()
