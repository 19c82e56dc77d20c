"""
An answer as plain text, in finger(1)'s layout: what every door shows that can show text.
From a reply to bytes, and nothing of how they are sent.
It imports model and text.
"""
