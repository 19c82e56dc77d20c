"""
Bytes that nobody has thought of, for all that comes from outside.

Each target is a function of bytes: it lets a part of the daemon have them, and raises
AssertionError where that doesn't keep what it promises. C{python -m tests.fuzz} looks for such
bytes, led by what they cover; L{tests.fuzz.test_fuzz} tries those again that led to something new.
"""
