"""
The programs for people: C{fingerq} asks, C{fingerset} sets a status.
They are clients, which may run where there is no daemon.
It imports doors (the setter's grammar), remote, logs, system, model and text.
"""
