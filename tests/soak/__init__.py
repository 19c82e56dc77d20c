"""
A soak: a real daemon, under everything at once for as long as one likes, and a check that every
answer was right and that nothing is left behind.

    python -m tests.soak --minutes 20
"""
