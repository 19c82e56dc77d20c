"""
What the administrator reads: the daemon's log, the query log, the audit of settings, failures.
Nothing here ever answers a client, and nothing raw from the wire gets into a log.
It imports system, model and text.
"""
