"""Tests of L{fingerd.service}, and of what it costs."""
