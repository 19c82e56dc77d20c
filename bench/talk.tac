# The talk's server, to be measured beside this one: BENCH_PORT and BENCH_USERS say what it does.

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from twisted.application import internet, service

from bench.talk import FingerFactory

factory = FingerFactory(os.environ["BENCH_USERS"], logged="BENCH_LOGGED" in os.environ)
application = service.Application("finger")
internet.TCPServer(
    int(os.environ["BENCH_PORT"]), factory, backlog=1024, interface="127.0.0.1"
).setServiceParent(application)
