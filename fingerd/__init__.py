"""A finger daemon (RFC 1288) on Twisted: ``twistd finger`` or ``twistd -noy finger.tac``."""

__version__ = "1.0.0"
