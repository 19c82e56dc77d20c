"""
The metrics door: what the daemon does, counted for Prometheus, and whether it is ready.
It shows numbers only: nobody's login, name or address.
It imports doors/net, doors/http, logs, system, model and text.
"""
