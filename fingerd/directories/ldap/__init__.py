"""
The directories C{ldap:} and C{ldaps:}: the entries of an LDAP server.
L{fingerd.directories.connected} keeps the connections and does the lookups in threads.
It imports what every directory may import.
"""
