"""The programs for people: C{fingerq} asks, C{fingerset} sets a status."""
