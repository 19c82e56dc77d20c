"""The programs that people type."""
