"""
The doors: each turns bytes into a query or a setting, and the service's reply into bytes.
What may be shown or set is never decided here.
It imports logs, system, model and text; a door imports what doors have in common too.
"""
