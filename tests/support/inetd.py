"""
As much of inetd as a finger daemon needs: ``inetd.py PROGRAM ARGUMENT...`` says its port, and runs
the program for each connection, with the socket for standard input, output and error.
"""

from __future__ import annotations

import socket
import subprocess
import sys

with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            end = connection.fileno()
            subprocess.run(sys.argv[1:], stdin=end, stdout=end, stderr=end, check=False)
