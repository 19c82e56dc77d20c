"""Tests of L{fingerd.system}."""
