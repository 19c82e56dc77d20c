"""
A short way for the commonest query, which answers the same bytes: nobody has to read it.
Its one entrance is L{fingerd.doors.finger.quick.reactor}.
It imports doors/finger, doors/net, logs, system, model and text.
"""
