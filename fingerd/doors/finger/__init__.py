"""
The finger port (RFC 1288): a request line in, an answer out.
It has the protocol, the answer's text and finger(1)'s layout; quick/ may stay unread.
It imports doors/net, logs, system, model and text.
"""
