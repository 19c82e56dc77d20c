# The daemon as `twistd finger` makes it, with the options in BENCH_OPTIONS, and a probe in it.

import os
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from twisted.application import service
from twisted.internet import reactor

from bench.probe import Probe
from fingerd.service.finger_service import FingerService
from fingerd.daemon.tap import Options, makeService

options = Options()
options.parseOptions(shlex.split(os.environ["BENCH_OPTIONS"]))
daemon = makeService(options)
application = service.Application("finger")
daemon.setServiceParent(application)
(finger,) = (part for part in daemon if isinstance(part, FingerService))
Probe(os.environ["BENCH_PROBE"], finger, reactor).setServiceParent(application)
