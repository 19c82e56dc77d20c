"""What rooms of tests share: daemons, clients, accounts, networks, other servers. No tests."""
