"""
Asking another finger server: the client, host names and addresses, forwarding (RFC 1288 2.4).
The directory of another server and the program fingerq use it.
It imports logs, system, model and text.
"""
