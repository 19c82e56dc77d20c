"""The Debian package, in a Debian of its own: C{python -m pytest -m packages}, as root."""
