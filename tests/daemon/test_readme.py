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
UPGRADING = (ROOT / "docs/upgrading.md").read_text()
# Those of a machine on which nothing was installed but by its packages.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def blocks(kind: str, page: str = README) -> list[str]:
    """The blocks of code of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.M | re.S)


def clone(folder: Path) -> Path:
    """A fresh clone, as a newcomer has it."""
    run("git", "-c", "safe.directory=*", "clone", "-q", f"file://{ROOT}", str(folder / "clone"))
    # What is not committed yet is tested too.
    shutil.rmtree(folder / "clone/fingerd")
    for name in ("fingerd", "etc", "twisted", "docs"):
        shutil.copytree(
            ROOT / name,
            folder / "clone" / name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"),
        )
    for name in ("finger.tac", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / "clone" / name)
    return folder / "clone"


@pytest.mark.slow
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
        """
        What root is to do to run it on port 79 makes a daemon that answers there. It is backed up,
        upgraded with what was set, and removed, as the page on that says.
        """
        needsRoot()
        needs("finger")
        [commands] = [block for block in blocks("sh") if "useradd" in block]
        backUp, restore, upgrade, remove, forget = blocks("sh", UPGRADING)
        start = commands[commands.index("/opt/fingerd/bin/twistd") :]
        # The system's folders are these commands' own as long as they run, and as the system
        # left them for everyone else.
        script = f"""set -eu
            for folder in /etc /opt /root /run /usr/local/bin /var/lib /var/log; do
                mkdir -p {self.folder}$folder
                [ $folder != /etc ] || cp -a /etc/. {self.folder}/etc
                mount --bind {self.folder}$folder $folder
            done
            cd {self.clone}
            {commands}
            finger moshez@localhost
            stat -c %U /proc/$(cat /run/fingerd.pid)
            fingerset --user moshez 'Writing a README'
            {backUp}
            {upgrade}
            {start}
            fingerq moshez@localhost:79
            fingerset --user moshez 'Gone'
            kill $(cat /run/fingerd.pid) && tail --pid=$(cat /run/fingerd.pid) -f /dev/null
            {restore}
            {start}
            fingerq moshez
            cat /var/log/fingerd.log
            {remove}
            pgrep --exact twistd || id fingerd 2>/dev/null || echo removed
            ls -d /etc/users /var/lib/fingerd
            {forget}
            find /etc /opt /run /usr/local/bin /var/lib /var/log -name '*finger*'
        """
        # Whatever happens to the tests, the daemon ends with them.
        alone = "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"
        shown = run("env", f"PATH={PATH}", *alone, "bash", "-c", script).decode()
        log = r"(?s:.*?Server Shut Down.*?Server Shut Down.*?)"
        self.assertRegex(
            shown,
            "\\A"
            "Happy and very well\nfingerd\n"
            "moshez: Writing a README\n"
            "/root/statuses.backup has what was in /var/lib/fingerd: 1 entry of 1 user\n"
            "Writing a README\nmoshez: Gone; before it: Writing a README\n"
            "/var/lib/fingerd has what was in /root/statuses.backup: 1 entry of 1 user\n"
            "Writing a README\n"
            f"{log}"
            "removed\n/etc/users\n/var/lib/fingerd\n\\Z",
        )
        self.assertNotIn("Traceback", shown)
