"""
The machine: threads, children, privileges, signals, clocks, state directory, addresses, systemd.
What knows the operating system and nothing about users or queries belongs here.
It imports model (limits and errors) only.
"""
