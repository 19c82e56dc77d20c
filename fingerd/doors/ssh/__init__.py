"""
The ssh door: users with a key set what is shown of them, from wherever they are.
It has the transport, the login by key, the host key and the commands, on twisted.conch.
It imports doors/net, doors/plain, logs, system, model and text.
"""
