"""Tests of L{fingerd.text}."""
