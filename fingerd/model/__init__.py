"""
The values and interfaces that every room agrees on: user, query, reply, fields, rules, limits.
They are plain data and pure functions: no I/O and no reactor, so that they are fuzzed as they are.
It imports text only.
"""
