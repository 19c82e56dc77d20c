"""A finger daemon (RFC 1288) on Twisted: ``twistd finger`` or ``twistd -noy finger.tac``."""
