"""The sources of users, one module each."""
