"""
Pure functions on text: cleaning, display width, columns, replacing.
Text that a person wrote goes in, text that may be shown comes out; nothing here does any I/O.
It imports nothing of the daemon.
"""
