"""
Where what users have set is kept: in memory, or in SQLite.
A store keeps what it is given; who may set what is the service's business.
It imports logs, system, model and text.
"""
