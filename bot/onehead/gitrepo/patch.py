"""A commit as a patch that people can apply elsewhere."""

from __future__ import annotations

from onehead.gitrepo.command import Git
from onehead.gitrepo.refs import NO_PROGRAMS


def patch_of(git: Git, sha: str) -> str:
    """The change of one ordinary commit as `git am` and `git apply` take it, message and author included.

    Bytes that are not UTF-8 are shown as replacement characters: such a patch can be read, but not applied.

    Raises:
        OneheadError: there is no such commit.
    """
    out = git.run("format-patch", "-1", "--stdout", "--no-signature", "--full-index", "--binary", *NO_PROGRAMS, sha)
    return out.decode("utf-8", "replace")
