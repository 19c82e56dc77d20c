"""
What the daemon says on the wire, recorded byte for byte: see README.md in this folder.

Nothing here imports the daemon. It is started by its command line, as its users start it, so that
its modules can be moved and renamed under a recording that stays.
"""
