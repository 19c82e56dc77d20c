"""Makes ``--directory phonebook:FILE`` known. This folder has no ``__init__.py``, nor has its."""

from phonebook import PhoneBookScheme

phonebook = PhoneBookScheme()
