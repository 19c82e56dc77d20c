"""
Files of users that are read again when they change, whatever their format.
Reading one never holds up the reactor, and a file that can't be read leaves the users as they were.
It imports what every directory may import.
"""
