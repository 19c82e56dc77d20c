"""Tests of L{fingerd.logs}."""
