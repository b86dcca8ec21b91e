"""May a push concern an environment at all? Decided by the changed paths, so that most pushes wait for nothing more.

Whatever can't be excluded counts as touched and is judged. Excluded is a push whose changed files are neither

- configuration that speaks of Alembic or of onehead, before or after;
- `env.py` or `script.py.mako`, which make a directory an environment;
- Python files where revisions are: in a directory whose name promises them (`versions`, which is where Alembic itself
  puts them, `migrations` …), in one that holds a revision, or anywhere when a configuration names places of its own;
- symbolic links or submodules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onehead.gitrepo.pushed import changed, mentions
from onehead.revisions.path_hints import (
    has_hex_id,
    is_revision_file,
    may_configure,
    promises_revisions,
    shapes_environments,
)

if TYPE_CHECKING:
    from onehead.gitrepo.process import Door
    from onehead.gitrepo.pushed import Update

MAX_LOOKED_AT = 20
"""Branches of one push that are looked at one by one; of more only the deployed ones are."""
_MAX_ASKED = 50
"""Directories or configurations that git is asked about; a push that changes more is simply judged."""

_ABOUT_US = r"script_location|version_locations|\[alembic]|tool\.alembic|onehead"
_CONFIGURATIONS = (":(icase)*.ini*", ":(icase)*.cfg*", ":(icase)*.toml")
# Alembic's own alembic.ini explains version_locations in a comment: that names no place.
_REVISIONS_ANYWHERE = "^[^#;]*version_locations|down_revision"
_LITERAL = {ord(letter): f"\\{letter}" for letter in "*?[\\"}
"""What has a meaning in a pathspec → what has none."""


def touches(git: Door, update: Update) -> bool:
    """Whether an update of a branch may concern an environment."""
    changes = changed(git, update)
    if changes is None:
        return True
    configurations, folders = [], set()
    for path, linked in changes:
        folder, _, name = path.rpartition("/")
        if linked or _tells(folder, name):
            return True
        if may_configure(path):
            configurations.append(path)
        elif is_revision_file(name):
            folders.add(folder)
    if len(configurations) > _MAX_ASKED or len(folders) > _MAX_ASKED:
        return True
    before = "HEAD" if update.creates else update.old
    if configurations and mentions(
        git, _ABOUT_US, [before, update.new], [f":(literal){path}" for path in configurations]
    ):
        return True
    above = [f"{folder}/".translate(_LITERAL) if folder else "" for folder in sorted(folders)]
    places = [*_CONFIGURATIONS, *(f":(glob){folder}*.py" for folder in above)]
    return bool(folders) and mentions(git, _REVISIONS_ANYWHERE, [update.new], places)


def _tells(folder: str, name: str) -> bool:
    """Whether the name of a file is enough to have a look."""
    if shapes_environments(name) or (name == ".onehead.toml" and not folder):
        return True
    return is_revision_file(name) and (promises_revisions(folder) or has_hex_id(name))
