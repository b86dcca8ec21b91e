"""Whether a repository may hold an Alembic environment, from the paths of its files and a few configurations.

An examination finds one by three things: a configuration, an `env.py`, and Python files whose directory or name
promises revisions. In a merge it finds what either side has. (Only git itself may bring more about: where one side
renames a directory, it moves what the other one adds there. The merged commit shows that.) What can't be excluded is
examined.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from onehead.examine.read import ReadBlobs
from onehead.gitrepo.tree import SUBMODULE, SYMLINK, Entry
from onehead.revisions.config import config_paths
from onehead.revisions.path_hints import CONCERNS_US, suffices

MAX_FILES = 100_000
"""Files and directories of all commits that are looked at together; a repository with more is examined."""
MAX_CONFIGURATIONS = 500
"""Different configurations that are read; a repository with more is examined."""
MAX_CONFIGURATION_BYTES = 64 * 1024
"""A repository with a larger one is examined."""

_CONCERNS_US = re.compile(CONCERNS_US.encode("ascii"))


def may_hold_environments(files: Collection[Entry] | None, read_blobs: ReadBlobs) -> bool:
    """Whether an examination of commits with these files may find an environment, or settings of onehead.

    `None` stands for files that are not known. `read_blobs` is asked once, for configurations, and need not read those
    that are larger than `MAX_CONFIGURATION_BYTES`.
    """
    if files is None or any(suffices(entry.path) for entry in files):
        return True
    wanted = set(config_paths(entry.path for entry in files))
    configurations = {entry for entry in files if entry.path in wanted}
    oids = {entry.oid for entry in configurations}
    # What a link stands for may be any file.
    if len(oids) > MAX_CONFIGURATIONS or any(entry.mode in (SYMLINK, SUBMODULE) for entry in configurations):
        return True
    contents = read_blobs(oids)
    return bool(contents.too_large) or any(map(_CONCERNS_US.search, contents.data.values()))
