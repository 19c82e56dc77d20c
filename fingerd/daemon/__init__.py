"""
C{twistd finger}: the options, the services that they describe, start and stop.
This is the only room that knows all the others, and puts them together.
It imports every room but commands.
"""
