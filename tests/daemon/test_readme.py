"""What the README says, done as it is written."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.support.daemon import IS_ROOT, ROOT, Daemon, needs, needsRoot, run, turnAt

README = (ROOT / "README.md").read_text()
# Those of a machine on which nothing was installed but by its packages.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def blocks(kind: str) -> list[str]:
    """The blocks of code of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.M | re.S)


def clone(folder: Path) -> Path:
    """A fresh clone, as a newcomer has it."""
    run("git", "-c", "safe.directory=*", "clone", "-q", f"file://{ROOT}", str(folder / "clone"))
    # What is not committed yet is tested too.
    shutil.rmtree(folder / "clone/fingerd")
    for name in ("fingerd", "etc", "twisted"):
        shutil.copytree(
            ROOT / name,
            folder / "clone" / name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"),
        )
    for name in ("finger.tac", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / "clone" / name)
    return folder / "clone"


@pytest.mark.xdist_group("the ports that people use")
class CommandTests(SynchronousTestCase):
    """The commands, in a fresh clone."""

    def setUp(self) -> None:
        needs("git", "nc")
        # The commands name their ports.
        self.enterContext(turnAt("/run"))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clone = clone(self.folder)

    def test_run(self) -> None:
        """The one line that runs it does, and the transcripts are what is seen then."""
        [command] = [block for block in blocks("sh") if "finger.tac" in block]
        if IS_ROOT:
            # Anyone but root sees what the transcripts show.
            run("chown", "-R", "nobody", str(self.folder))
        with Daemon(
            "-c",
            f"exec 2>&1; {command.replace(' .venv/bin/twistd', ' exec .venv/bin/twistd')}",
            command=["bash"],
            cwd=self.clone,
            environment={"PATH": PATH, "HOME": str(self.folder), "PIP_NO_CACHE_DIR": "1"},
        ):
            transcripts = blocks("")
            self.assertGreater(len(transcripts), 1)
            for transcript in transcripts:
                for step in re.split(r"^\$ ", transcript, flags=re.M)[1:]:
                    said, _, expected = step.partition("\n")
                    shown = run("bash", "-c", said).decode().replace("\r\n", "\n")
                    self.assertEqual(shown, expected, said)

    def test_forReal(self) -> None:
        """What root is to do to run it on port 79 makes a daemon that answers there."""
        needsRoot()
        needs("finger")
        [commands] = [block for block in blocks("sh") if "useradd" in block]
        # The system's folders are these commands' own as long as they run, and as the system
        # left them for everyone else.
        script = f"""set -eu
            for folder in /etc /opt /run /var/lib /var/log; do
                mkdir -p {self.folder}$folder
                [ $folder != /etc ] || cp -a /etc/. {self.folder}/etc
                mount --bind {self.folder}$folder $folder
            done
            cd {self.clone}
            {commands}
            finger moshez@localhost
            stat -c %U /proc/$(cat /run/fingerd.pid)
            kill $(cat /run/fingerd.pid)
            tail --pid=$(cat /run/fingerd.pid) -f /dev/null
            cat /var/log/fingerd.log
        """
        # Whatever happens to the tests, the daemon ends with them.
        alone = "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"
        shown = run("env", f"PATH={PATH}", *alone, "bash", "-c", script).decode()
        self.assertTrue(shown.startswith("Happy and very well\nfingerd\n"), shown)
        self.assertIn("Server Shut Down", shown)
        self.assertNotIn("Traceback", shown)
