"""Tests of L{fingerd.commands}: the programs as people run them."""
