"""Tests of what is made of the programs for a release."""
