"""
What a user may say to the ssh door, from the command's bytes to a L{Wanted}.

    At lunch                the status
    set --for 2h At lunch   the status, for two hours; set may be left out
    set -                   the status, from standard input; set may be left out
    set show                the status "show": what is a verb's name otherwise
    clear                   takes back the status that was set
    plan                    the plan, from standard input; "plan clear" takes it back
    project TEXT            the project; "project clear" takes it back
    hide [TIME], unhide     whether finger shows the user at all
    public-history [TIME], private-history
                            whether whoever asks may see the earlier statuses
    undo                    takes back the last change
    history                 what was set, the newest first
    erase                   forgets all that was ever set, the history included
    show                    what finger says of the user
    help                    how to say all that

A verb is one only where it stands alone or has what it takes: all else is a status, as in C{ssh
host 'Plan to be back at two'}. Only C{project}, like C{set}, takes all that stands behind it. A
verb with one word that it doesn't take is no status: who says C{hide now} means to be hidden.
ssh(1) joins its arguments with spaces: the shell's quotes are gone. It takes what begins with C{--}
for an option of its own, unless C{--} or C{set} stands before.

All of this is bytes and text: no I/O, no Twisted. No bytes make L{parse} raise anything but
ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from fingerd.model.record import YES, Part
from fingerd.text.lasting import seconds

# What copies files or repositories, and would be a status otherwise: `scp -O` runs "scp -t FILE".
_PROGRAMS = re.compile(
    r"(?:scp|rsync|sftp-server|mosh-server|tar|git-[a-z]+-(?:pack|archive))(?: +[-'/~.].*)?"
    r"|(?:/\S+|(?:ba|da|z|fi)?sh|python3?|internal-sftp|sftp)(?: +-.*)?",
    re.DOTALL,
)
# Words that mean something to people: none of them is to become a status that everyone reads.
_NO_STATUS = frozenset(["project", "status", "exit", "quit", "ls"])
HELP = """\
What finger shows of you is set by one line:

  ssh HOST 'At lunch'                 your status, until you set another
  ssh HOST set --for 2h 'At lunch'    for so long (units d, h, m and s); then the one before it
  ssh HOST set - < FILE               your status, from standard input
  ssh HOST clear                      take back the status that you have set
  ssh HOST plan < .plan               your plan; ssh HOST plan clear takes it back
  ssh HOST project 'A web server'     your project; ssh HOST project clear takes it back
  ssh HOST hide                       let finger not show you at all, or hide 2h for so long;
                                      unhide, to show you again
  ssh HOST public-history             let people ask for your earlier statuses, where that is
                                      answered; private-history, to let nobody
  ssh HOST undo                       take back your last change
  ssh HOST history                    what you have set, the newest first
  ssh HOST erase                      forget all that you have ever set, the history included
  ssh HOST show                       what finger says of you
  ssh HOST set show                   a status that is also one of these words

It ends with 0 when that is safely kept, with 1 when it was refused, and with 2 when the command
makes no sense.
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What one command wants. C{verb} is C{set}, C{undo}, C{history}, C{erase}, C{show} or C{help};
    what is to be set, of this C{part}, is C{text}, for so many C{seconds} or until it is set again,
    or what comes by standard input where C{reads}.
    """

    verb: str
    text: str = ""
    seconds: int | None = None
    reads: bool = False
    part: Part = Part.STATUS


_ALONE = {
    "show": Wanted("show"),
    "undo": Wanted("undo"),
    "history": Wanted("history"),
    "erase": Wanted("erase"),
    "clear": Wanted("set"),
    "plan": Wanted("set", reads=True, part=Part.PLAN),
    "plan -": Wanted("set", reads=True, part=Part.PLAN),
    "plan clear": Wanted("set", part=Part.PLAN),
    "project clear": Wanted("set", part=Part.PROJECT),
    "hide": Wanted("set", YES, part=Part.HIDDEN),
    "unhide": Wanted("set", part=Part.HIDDEN),
    "public-history": Wanted("set", YES, part=Part.PUBLIC_HISTORY),
    "private-history": Wanted("set", part=Part.PUBLIC_HISTORY),
}
_WITH_TEXT = frozenset(["plan"])
_MAY_END = frozenset(["hide", "public-history"])


def parse(command: bytes) -> Wanted:
    """
    Read a command.

    @raise ValueError: when it makes no sense, with the reason in words for the client.
    """
    try:
        text = command.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("a status is UTF-8 text") from None
    if text in ("", "help", "--help", "-h"):
        return Wanted("help")
    if text in _ALONE:
        return _ALONE[text]
    # (PuTTY's psftp looks for a server of files by a script of several lines.)
    if "\n" in text:
        raise ValueError("a status with several lines comes by standard input: set -")
    if _PROGRAMS.fullmatch(text):
        raise ValueError("no programs are run and no files are copied here; see help")
    if text in _NO_STATUS:
        raise ValueError(f"{text} is no command here; to have it as a status, say set {text}")
    verb, _, rest = text.partition(" ")
    if verb in _ALONE and verb not in _WITH_TEXT and len(rest.split()) == 1:
        return _lasting(verb, rest.strip())
    if verb == "set":
        text = rest.strip()
        if not text:
            raise ValueError("set takes a status; clear takes back what was set")
    if verb == "project":
        return Wanted("set", rest.strip(), part=Part.PROJECT)
    return _status(text, literal=verb == "set")


def _lasting(verb: str, time: str) -> Wanted:
    """What a verb wants that has one word behind it: how long, if it may end."""
    wanted = _ALONE[verb]
    if verb not in _MAY_END:
        raise ValueError(f"{verb} stands alone; to have that as a status, say set {verb} {time}")
    return replace(wanted, seconds=seconds(time))


def _status(text: str, literal: bool) -> Wanted:
    lasting = None
    if text.split(None, 1)[0] == "--for":
        words = text.split(None, 2)
        if len(words) < 3:
            raise ValueError("--for takes how long, then a status, as in --for 2h At lunch")
        lasting, text = seconds(words[1]), words[2]
    elif text.startswith("--") and not literal:
        raise ValueError(f"there is no option {text.split(None, 1)[0]}; see help")
    return Wanted("set", "", lasting, True) if text == "-" else Wanted("set", text, lasting)
