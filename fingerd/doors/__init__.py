"""
The doors: each turns bytes into a query or a setting, and the service's reply into bytes.
What may be shown or set is never decided here.
A door imports logs, system, model and text, and what doors have in common.
"""
