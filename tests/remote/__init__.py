"""Tests of L{fingerd.remote}."""
