"""
The directory C{file:}: a users file, a login and a status on each line.
It says how the file is read and what a line means; L{fingerd.directories.watched} reads it anew.
It imports what every directory may import.
"""
