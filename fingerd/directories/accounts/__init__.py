"""
The directory C{passwd:}: the system's accounts, and what their homes say.
Accounts come from getent(1) or from a file in the form of passwd(5); homes are read in threads.
It imports what every directory may import.
"""
