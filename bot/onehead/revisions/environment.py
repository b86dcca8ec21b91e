"""The words of discovery: an environment, the directories of its revisions, and a configuration's trouble."""

from __future__ import annotations

from typing import NamedTuple


class Location(NamedTuple):
    """One directory that holds revision files.

    Attributes:
        path: the directory from the top of the repository, `""` for the top itself.
        recursive: `True`: sub-folders count (`recursive_version_locations`). `False`: only this level.
            `None`: nobody says; `settle.settle` decides by the ids which sub-folders belong.
        blocked: the submodule, or the symbolic link that leads out of the repository, because of which nothing in the
            directory can be read; empty otherwise.
    """

    path: str
    recursive: bool | None
    blocked: str = ""


class Environment(NamedTuple):
    """One chain of revisions: what Alembic would load together.

    Attributes:
        path: the name used everywhere, unique in its tree: the first version location,
            e.g. `alembic/versions`.
        config: the ini or toml file that declares it; `None` where only `env.py` or the files speak.
        section: the section of `config` (`alembic`, `tenant`, `tool.alembic`).
        script_location: the directory with `env.py`, e.g. `alembic`; `None` when the configuration names one
            that is not in the repository (then `version_locations` says where the revisions are).
        locations: where the revision files are; the directories need not exist yet.
        file_template: the option of that name, `None` for Alembic's default.
        timezone: the option of that name, `None` for naive local time.
        certain: declared by a configuration or by `env.py`; `False`: guessed from the revision files alone.
        run_from: the directory in which Alembic is run: from there the relative paths of `config` lead somewhere.
        by_flask: `config` is that of Flask-Migrate, which Alembic refuses by itself: it names no `script_location`.
    """

    path: str
    config: str | None
    section: str | None
    script_location: str | None
    locations: tuple[Location, ...]
    file_template: str | None = None
    timezone: str | None = None
    certain: bool = True
    run_from: str = ""
    by_flask: bool = False

    def widened(self) -> Environment:
        """The same with all sub-folders of its directories; not of the top, for that is the whole repository."""
        return self._replace(
            locations=tuple(
                each._replace(recursive=True) if each.path and not each.blocked else each for each in self.locations
            )
        )


class ConfigProblem(NamedTuple):
    """Something in a configuration that a person should know.

    Attributes:
        path: the configuration file, or the directory it is about.
        line: 1-based, 0 for the whole file.
        reason: what is there, what it means and what to do; a sentence without a full stop.
        unread: a bound was exceeded, so there may be more here that Alembic would read.
    """

    path: str
    line: int
    reason: str
    unread: bool = False
