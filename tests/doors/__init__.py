"""Tests of L{fingerd.doors}, as clients meet them."""
