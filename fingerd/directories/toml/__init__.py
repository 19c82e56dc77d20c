"""
The directory C{toml:}: a TOML file with every field of each user.
It says how the file is read and what a table means; L{fingerd.directories.watched} reads it anew.
It imports what every directory may import.
"""
