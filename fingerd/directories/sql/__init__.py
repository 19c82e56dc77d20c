"""
The directories C{postgresql:} and C{sqlite:}: users from two queries that the administrator wrote.
L{fingerd.directories.connected} keeps the connections and does the lookups in threads.
It imports what every directory may import.
"""
