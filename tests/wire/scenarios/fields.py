"""What is shown of users: fields, lists, matching, masking, replacing."""

from __future__ import annotations

from tests.wire.scenarios import scenario
from tests.wire.wire import Wire

PEOPLE = '''\
[moshez]
name = "Moshe Zadka"
status = "Happy and well"
office = "42"
office_phone = "555-0042"
home_phone = "555-0100"
project = "A finger server"
plan = """
Several lines
are welcome here"""
public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 moshez"

[radix]
name = "Christopher Armstrong"
status = """Writing
a web server"""

[ada]
name = "Ada King Lovelace"
office_phone = "555-1815"

[augusta]
name = "Augusta Ada"
home_phone = "555-1852"

[bob]
status = "Just a status"

[silent]

[planned]
plan = "Nothing but a plan"

[hidden]
name = "Ada Hidden"
hidden = true

["josé"]
name = "José Núñez"
status = "Está en la reunión"
project = "Uno de los proyectos más largos, que no cabe en una línea de ochenta columnas"

["wrong"]
colour = "blue"
'''
EVERYONE = (
    "moshez\r\n",
    "radix\r\n",
    "ada\r\n",
    "augusta\r\n",
    "bob\r\n",
    "silent\r\n",
    "planned\r\n",
    "hidden\r\n",
    "josé\r\n",
    "wrong\r\n",
    "nobody\r\n",
)
FEW = (
    "\r\n",
    "/W\r\n",
    "moshez\r\n",
    "/W moshez\r\n",
    "bob\r\n",
    "/W bob\r\n",
    "planned\r\n",
    "moshez bob\r\n",
)


@scenario()
def tomlUsers(wire: Wire) -> None:
    """A TOML file tells all that can be known of a user; a hidden or a wrong one is unknown."""
    daemon = wire.daemon(f"--directory=toml:{wire.file('users.toml', PEOPLE)}")
    daemon.asks("\r\n", "/W\r\n", *EVERYONE, *(f"/W {name}" for name in EVERYONE))
    daemon.asks("moshez,radix,hidden,nobody\r\n", "/W moshez bob\r\n")


@scenario()
def listFields(wire: Wire) -> None:
    """The administrator chooses what the list shows, and names are always in it."""
    people = f"--directory=toml:{wire.file('users.toml', PEOPLE)}"
    for fields in ("all", "status,office-phone,home_phone,plan"):
        wire.daemon(people, f"--list-fields={fields}", "--no-setter").asks(
            "\r\n", "/W\r\n", "bob\r\n"
        )


@scenario()
def userFields(wire: Wire) -> None:
    """The administrator chooses what is shown of one user, and /W doesn't tell more then."""
    people = f"--directory=toml:{wire.file('users.toml', PEOPLE)}"
    for fields in ("status", "office,home-phone,public-key"):
        wire.daemon(people, f"--user-fields={fields}", "--no-setter").asks(*FEW)


@scenario()
def verboseFields(wire: Wire) -> None:
    """The administrator chooses what /W shows."""
    people = f"--directory=toml:{wire.file('users.toml', PEOPLE)}"
    wire.daemon(people, "--verbose-fields=all", "--no-setter").asks(*FEW)
    wire.daemon(people, "--user-fields=status", "--verbose-fields=plan", "--no-setter").asks(*FEW)


@scenario()
def noPlan(wire: Wire) -> None:
    """With --no-plan nobody's plan is shown, whatever the fields say."""
    people = f"--directory=toml:{wire.file('users.toml', PEOPLE)}"
    wire.daemon(people, "--no-plan").asks(*FEW)
    everything = ("--user-fields=all", "--verbose-fields=all", "--list-fields=all")
    wire.daemon(people, "--no-plan", *everything).asks(*FEW)


@scenario()
def noList(wire: Wire) -> None:
    """With --no-list the list is refused in the known words, and users are still found."""
    wire.daemon(f"--directory=toml:{wire.file('users.toml', PEOPLE)}", "--no-list").asks(
        *FEW, "\n", " \r\n", "/w\r\n", "/X\r\n", ",\r\n", "nobody\r\n", "Ada\r\n"
    )


MATCHING = (
    "Ada\r\n",
    "ada\r\n",
    "ADA\r\n",
    "Lovelace\r\n",
    "lovelace\r\n",
    "King\r\n",
    "Love\r\n",
    "Augusta\r\n",
    "Christopher\r\n",
    "Núñez\r\n",
    "nu\u0301n\u0303ez\r\n",
    "NUNEZ\r\n",
    "Hidden\r\n",
    "Ada Lovelace\r\n",
    "/W Zadka\r\n",
    "Nobody\r\n",
    "moshez Zadka\r\n",
    "Sam\r\n",
)


@scenario()
def matching(wire: Wire) -> None:
    """With --match a user is found by a word of the full name, and of many ten are shown."""
    many = "".join(f'[sam{number}]\nname = "Sam {number}"\n' for number in range(12))
    people = f"--directory=toml:{wire.file('users.toml', PEOPLE + many)}"
    wire.daemon(people, "--match", "--user-fields=name").asks(*MATCHING)
    wire.daemon(people, "--match", "--no-list", "--limit=matchedUsers=2", "--mask=ada").asks(
        *MATCHING
    )
    wire.daemon(people, "--mask=augusta").asks(*MATCHING)


@scenario()
def masking(wire: Wire) -> None:
    """Whoever is masked doesn't exist from outside, by name, in a list or to the setter."""
    daemon = wire.daemon(
        f"--directory=toml:{wire.file('users.toml', PEOPLE)}",
        "--mask=moshez",
        "--mask=BOB",
        "--mask=nobody-here",
        "--match",
        "--create",
    )
    requests = ("moshez\r\n", "MoSheZ\r\n", "bob\r\n", "Bob\r\n", "Zadka\r\n", "radix\r\n")
    daemon.asks("\r\n", "/W\r\n", *requests, *(f"/W {name}" for name in requests))
    daemon.asks("moshez radix bob nobody\r\n", "nobody-here\r\n")
    daemon.sets("moshez\nHere I am\n", "nobody-here\nHere I am\n", "radix\nHere I am\n")
    daemon.asks("\r\n", "moshez\r\n", "nobody-here\r\n", "radix\r\n")


@scenario()
def replacing(wire: Wire) -> None:
    """With --replace a text is replaced in every answer, and never in the daemon's own refusals."""
    daemon = wire.daemon(
        f"--directory=toml:{wire.file('users.toml', PEOPLE)}",
        "--replace=Happy=Sad",
        "--replace=Happy and well=Well and happy",
        "--replace=Sad=Happy",
        "--replace=Está=Estuvo",
        "--replace=555-=",
        "--replace=Zadka=A very long name that makes the table wider than it was before",
        "--replace=No such user=Never heard of them",
        "--replace=denied=allowed",
        "--replace=e=e",
    )
    daemon.asks("\r\n", "/W\r\n", *EVERYONE, "/W moshez\r\n", "moshez nobody\r\n")
    daemon.asks("moshez@example.com\r\n", "a" * 600, "Happy\r\n", "Happy bob\r\n")
    daemon.sets("bob\nHappy Sad happy\n", "bob\nEsta\u0301 Happy\u200b\n", "nobody\nSad\n")
    daemon.asks("bob\r\n", "\r\n")
    daemon.sets("bob\nHa\ufe0fppy\n")
    daemon.asks("bob\r\n", "\r\n")
