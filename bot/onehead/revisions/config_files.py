"""Which files of a tree may configure Alembic, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from onehead.revisions.signs import may_configure
from onehead.revisions.tree import is_vendored

MAX_CONFIGS = 2000
"""More configuration files of one tree are reported and not read."""

_SAMPLE = "samples?|example|template|tmpl|tpl|dist"
_ALEMBIC_INI = re.compile(r"[^/]*alembic[^/]*\.(?:ini|cfg)(?:\.[\w-]+){0,2}", re.IGNORECASE)
# Templates that make new projects, documents and programs are no configurations.
_NO_CONFIG = re.compile(r"\.(?:mako|py|pyc|md|rst|html|lock|orig|rej)$", re.IGNORECASE)
_ANY_INI = re.compile(rf"[^/]+\.(?:ini|cfg)(?:\.(?:{_SAMPLE}|default|in|j2|jinja2?))?", re.IGNORECASE)
_IS_SAMPLE = re.compile(rf"(?:^|[._-])(?:{_SAMPLE})(?:[._-]|$)|\.(?:ini|cfg)\.", re.IGNORECASE)


def config_paths(paths: Iterable[str]) -> tuple[str, ...]:
    """The files whose content `locate.locate` wants to see: at most `MAX_CONFIGS`, Alembic's own first."""
    return tuple(all_config_paths(paths)[:MAX_CONFIGS])


def all_config_paths(paths: Iterable[str]) -> list[str]:
    """The same without the limit, in the same order."""
    ranked = {(_rank(path), path.count("/"), path) for path in paths if may_configure(path)}
    return [path for rank, _, path in sorted(ranked) if rank < _NONE and not is_vendored(path)]


_NONE = 3


def _rank(path: str) -> int:
    name = path.rpartition("/")[2]
    if is_alembic_ini(path):
        return 0
    if name in ("pyproject.toml", "setup.cfg"):
        return 1
    # Pyramid, Pylons and others keep [alembic] in a file of any name, such as development.ini.
    return 2 if _ANY_INI.fullmatch(name) else _NONE


def is_alembic_ini(path: str) -> bool:
    """Whether a file is Alembic's by its name, or a sample of such a file."""
    name = path.rpartition("/")[2]
    return _ALEMBIC_INI.fullmatch(name) is not None and _NO_CONFIG.search(name) is None


def is_sample(path: str) -> bool:
    """Whether a configuration waits to be copied or filled in, and is not read by Alembic under this name."""
    return _IS_SAMPLE.search(path.rpartition("/")[2]) is not None
