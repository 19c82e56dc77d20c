"""What is measured: a module each, run as ``python -m bench.NAME``."""
