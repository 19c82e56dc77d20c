"""
The setter port: a login and a status in, C{OK} or a refusal out.
It has the protocol, the request's grammar, and which user of this machine is asking.
It imports doors/net, logs, system, model and text.
"""
