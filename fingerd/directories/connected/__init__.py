"""
What directories have in common that ask a server or a database over connections: the lookups in
threads, the file that says how to ask, and what an answer means.
It imports what every directory may import.
"""
