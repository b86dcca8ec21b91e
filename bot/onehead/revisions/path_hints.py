"""Where an environment could be, from names alone and before any file is read.

`locate` uses these rules, and so do two who have to know beforehand that there is nothing to find: the pre-receive
hook, which sees the paths that a push changes, and the service, which sees those of a repository before it mirrors it.
All share them, so that none overlooks what another finds.
"""

from __future__ import annotations

# Alembic's own rule (script/base.py): lock files of editors and every `__init__...` are passed over.
_PASSED_OVER = (".#", "__init__")
_FOLDERS = frozenset({"version", "versions", "revision", "revisions"})
# The name Alembic's default file_template gives, wherever the id is in it.
_HEX_ID = r"(?:^|[._-])[0-9a-f]{12}(?:[._-])"
_SHORTEST = len("0123456789ab.py")

CONCERNS_US = r"script_location|version_locations|\[alembic]|tool\.alembic|onehead"
"""What a configuration that concerns Alembic or onehead says; an extended regular expression to git and to Python."""


def is_revision_file(name: str) -> bool:
    """Whether Alembic takes a file of this name (without directory) for a revision."""
    return name.endswith(".py") and not name.startswith(_PASSED_OVER) and "\n" not in name


def may_configure(path: str) -> bool:
    """Whether a file may configure Alembic; of tens of thousands of files a handful."""
    lower = path.lower()
    return ".ini" in lower or ".cfg" in lower or lower.endswith(".toml")


def promises_revisions(folder: str) -> bool:
    """Whether the Python files of a directory may be revisions, by its path."""
    lower = folder.lower()
    return "alembic" in lower or "migrat" in lower or not _FOLDERS.isdisjoint(lower.split("/"))


def has_hex_id(name: str) -> bool:
    """Whether a file name holds an id as Alembic draws them."""
    if len(name) < _SHORTEST:
        return False
    import re  # noqa: PLC0415 - in a hook, where most names are shorter, it would be loaded for nothing

    return re.search(_HEX_ID, name) is not None


def shapes_environments(name: str) -> bool:
    """Whether a file of this name makes the directory around it an environment, wherever it is."""
    return name in ("env.py", "script.py.mako")


def suffices(path: str) -> bool:
    """Whether a file of this path may be part of an environment, or its policy, whatever is in it."""
    folder, _, name = path.rpartition("/")
    if shapes_environments(name) or path == ".onehead.toml":
        return True
    return is_revision_file(name) and (promises_revisions(folder) or has_hex_id(name))
