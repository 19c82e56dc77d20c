"""
The tests: a room for each room of the daemon, with the same name, tests.bench for bench, and
tests.fleet for daemons on several machines.

C{tests.support} is what they share. C{tests.attacks}, C{tests.fuzz}, C{tests.harvesting},
C{tests.kill}, C{tests.fleet.kill} and C{tests.soak} are programs too, for longer runs:
C{python -m tests.soak}.

pytest runs them with several workers, so each has the company of others: it takes no port, file
or account by a fixed name, and counts nothing of the whole machine's.

C{HYPOTHESIS_PROFILE=deep} in the environment lets every property be tried with many examples
instead of a hundred: see C{conftest.py}.
"""
