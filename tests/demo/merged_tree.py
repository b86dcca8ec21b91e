"""What a deploy would get: the tree git makes of main and a branch, in a folder, and Alembic's own words about it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forgejos.workcopy import WorkCopy


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended, and everything it printed."""

    code: int
    text: str


class MergedTree:
    """The merge of `origin/main` and `origin/<branch>`, extracted to `folder`.

    Raises:
        AssertionError: git can't merge the two without a person.
    """

    def __init__(self, copy: WorkCopy, branch: str, folder: Path) -> None:
        self.folder = folder
        copy.git("fetch", "-q", "origin")
        tree = copy.git("merge-tree", "--write-tree", "origin/main", f"origin/{branch}").splitlines()[0]
        folder.mkdir()
        archive = folder.with_suffix(".zip")
        copy.git("archive", "--format=zip", f"--output={archive}", tree)
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)

    def alembic(self, *arguments: str) -> Answer:
        """Run the real Alembic in the tree."""
        result = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Answer(result.returncode, (result.stdout + result.stderr).strip())

    def heads(self) -> tuple[list[str], str]:
        """The ids that `alembic heads` lists, and its output."""
        answer = self.alembic("heads")
        assert answer.code == 0, f"alembic heads failed: {answer.text}"
        return [line.split()[0] for line in answer.text.splitlines() if line.endswith("(head)")], answer.text
