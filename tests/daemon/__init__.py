"""Tests of whole daemons: real processes, real clients, and what README and docs say of them."""
