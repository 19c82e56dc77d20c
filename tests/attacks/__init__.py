"""
Clients that mean no good, in crowds, and good ones beside them.

    python -m tests.attacks
"""
