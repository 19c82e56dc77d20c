"""
What a worker runs: twistd, in the foreground, with the parent's options for C{finger}.

It is in a group of its own: what a terminal sends to the daemon, only the parent gets.
"""

import os

from twisted.scripts.twistd import run

from fingerd.system import worker_role

if __name__ == "__main__":
    os.setpgid(0, 0)
    # Before Twisted looks: it does so when it is first asked for an endpoint.
    worker_role.begin(os.environ)
    run()
