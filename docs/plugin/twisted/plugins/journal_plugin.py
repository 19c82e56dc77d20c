"""Makes ``--state journal:FILE`` known."""

from journal import JournalScheme

journal = JournalScheme()
