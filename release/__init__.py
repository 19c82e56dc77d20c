"""What is made of the programs' own options: man pages and completions. See release/__main__.py."""
