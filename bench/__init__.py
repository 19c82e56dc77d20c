"""What is measured: ``python -m bench NAME``."""
