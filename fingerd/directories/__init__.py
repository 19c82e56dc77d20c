"""
The sources of users: a module or a folder for each kind of C{--directory} URL.
A directory says who there is; what may be shown of a user is the service's business.
It imports remote, logs, system, model and text.
"""
