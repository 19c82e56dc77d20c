"""Tests of L{fingerd.stores}: the same for every store, and what each does when it fails."""
