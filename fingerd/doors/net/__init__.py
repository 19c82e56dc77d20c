"""
What all doors have in common: a connection's end and half-close, TLS, the PROXY header, ports.
Nothing here knows what the bytes mean.
It imports logs, system, model and text.
"""
