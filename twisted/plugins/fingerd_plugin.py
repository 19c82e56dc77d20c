"""Makes ``twistd finger`` known. Every start of any twistd runs it: it imports nothing of ours."""

from twisted.application.service import ServiceMaker

finger = ServiceMaker("finger", "fingerd.daemon.maker", "A finger daemon.", "finger")
