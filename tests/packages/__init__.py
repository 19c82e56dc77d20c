"""Installed by dpkg and by pip in a Debian of its own: C{python -m pytest -m packages}, as root."""
