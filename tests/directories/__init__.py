"""Tests of L{fingerd.directories}."""
