"""Programs for users: a module each."""
