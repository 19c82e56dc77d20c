"""
The web door: pages, JSON, text and feeds of who there is, and WebFinger, over HTTP.
It shows what is in a reply, and decides nothing about who may see what.
It imports doors/net, doors/plain, doors/http, logs, system, model and text.
"""
