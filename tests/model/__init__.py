"""Tests of L{fingerd.model}."""
