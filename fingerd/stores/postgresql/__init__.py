"""
Where statuses are kept for many machines: in PostgreSQL (C{--state postgresql://...}).
What talks to the server blocks, and is called in threads.
It imports what every store may import.
"""
