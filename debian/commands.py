"""Writes a command of the project's own into a tree for each of its console scripts."""

import sys
import tomllib
from pathlib import Path

# Of the system's own modules it sees Python's only: another version of what it needs, or half of
# it, would get in its way. What an administrator adds is in a folder of its own.
COMMAND = """\
#!/usr/bin/python3 -IS
import sys
from os.path import dirname, realpath

usr = dirname(dirname(realpath(__file__)))
sys.path[:0] = [usr + "/lib/fingerd", usr + "/local/lib/fingerd"]
from {module} import {function}

{function}()
"""

root = Path(sys.argv[1])
scripts = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]
for name, place in scripts.items():
    module, _, function = place.partition(":")
    # The daemon and what is asked of it are for administrators.
    folder = root / ("usr/sbin" if name.startswith("fingerd") else "usr/bin")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(COMMAND.format(module=module, function=function))
    (folder / name).chmod(0o755)
