"""
HTTP/1.1 (RFC 9112) for doors that speak it: connections that are visits, requests, and pages.
What there is at which address, a door's own site says.
It imports doors/net, logs, system, model and text.
"""
