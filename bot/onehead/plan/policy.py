"""The policy of a repository: its values, and how `.onehead.toml` or `[tool.onehead]` is read. Pure.

Nothing is guessed: an unknown key or an unusable value is a problem with its line. The rest of such a file still
counts, but it can't cause a re-parent: the part that was not understood may have forbidden just that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from onehead.revisions import parsers
from onehead.revisions.parsers import Spent, TooLarge

Strategy = Literal["auto", "merge", "reparent"]
Delivery = Literal["pull-request", "push", "comment"]
Branches = Literal["repair", "status"]


class Policy(NamedTuple):
    """Choices of one repository; patterns are those of a shell, and `*` also matches slashes.

    Attributes:
        targets: the branches that are deployed; empty: the default branch.
        strategy: `auto` re-parents what has not escaped and merges the rest; `merge` always merges; `reparent`
            re-parents even what has escaped, and says what that costs.
        shared_databases: branches whose migrations are run by long-lived databases: what stands on them has escaped,
            also while it is judged.
        fresh_ids: what is re-parented gets new ids too, so that a database that has run it under the old ones stops
            with an error instead of skipping the other side in silence.
        allowed_heads: pattern for environments, and how many heads those may have; the first that matches.
        delivery: how repairs reach people.
        branches: what happens for branches without a pull request.
        merge_template: empty: merge revisions are made from their newest sibling.
        heads_up: whether pull requests that would collide with each other are told so in comments.
        doubtful: whether the file could not be understood completely: then nothing is re-parented on its word.
    """

    targets: tuple[str, ...] = ()
    strategy: Strategy = "auto"
    shared_databases: tuple[str, ...] = ()
    fresh_ids: bool = False
    ignore_environments: tuple[str, ...] = ()
    allowed_heads: tuple[tuple[str, int], ...] = ()
    delivery: Delivery = "pull-request"
    branches: Branches = "repair"
    merge_template: str = ""
    heads_up: bool = True
    doubtful: bool = False

    def ignores(self, environment: str) -> bool:
        """Whether an environment is not judged."""
        return _matches(environment, self.ignore_environments)

    def heads_allowed(self, environment: str) -> int:
        """How many heads an environment may have before that is a fork."""
        return next((most for pattern, most in self.allowed_heads if fnmatchcase(environment, pattern)), 1)

    def is_shared(self, branch: str) -> bool:
        """Whether long-lived databases run the migrations of a branch; its short name is given."""
        return _matches(branch, self.shared_databases)


def targets_of(policy: Policy, default_branch: str, branches: Collection[str]) -> tuple[str, ...]:
    """The deployed ones of all branches, short names: the default branch first where it is one, the others sorted.

    The policy is that of the default branch, which is the only target where no pattern matches any.
    """
    chosen = sorted(name for name in branches if _matches(name, policy.targets))
    if not chosen:
        return (default_branch,)
    return tuple(sorted(chosen, key=lambda name: (name != default_branch, name)))


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


OWN_FILE = ".onehead.toml"
PROJECT_FILE = "pyproject.toml"
FILES = (OWN_FILE, PROJECT_FILE)
"""Where a policy may stand, both at the top of the repository; the first one that has settings wins."""
_WITHIN: dict[str, tuple[str, ...]] = {OWN_FILE: (), PROJECT_FILE: ("tool", "onehead")}
"""The table that holds the keys."""
_MAX_LENGTH = 60
"""Characters of a key or value that a message shows."""
MAX_BYTES = 64 * 1024
"""Of a policy in a file of its own; the longest one that anybody could want has some hundred lines."""
_MAX_TOLD = 20
"""Keys of one policy that can't be used; more are counted."""


class PolicyProblem(NamedTuple):
    """What can't be used in a policy and what to write instead, in full sentences; `line` 0: none can be named."""

    path: str
    line: int
    message: str


class PolicyRead(NamedTuple):
    """A policy, and what of it could not be understood."""

    policy: Policy
    problems: tuple[PolicyProblem, ...] = ()


class _BadPolicyValueError(ValueError):
    """A value that can't be used; says what to write instead, and which part of a table it is about."""

    def __init__(self, message: str, part: str = "") -> None:
        super().__init__(message)
        self.part = part


def read_policy_files(files: Mapping[str, bytes], unread: Mapping[str, str] = MappingProxyType({})) -> PolicyRead:
    """The policy of a tree that has some of `FILES`; of those `unread`, the value says why ("is a symbolic link")."""
    problems: list[PolicyProblem] = []
    tables = _tables(files, unread, problems)
    values: dict[str, Any] = {}
    if tables:
        path, table = next(iter(tables.items()))
        for other in [other for other in tables if other != path]:
            message = f"`{path}` has the policy, so `[tool.onehead]` here is not read. Keep one of them."
            problems.append(PolicyProblem(other, _line(files[other], *_WITHIN[other]), message))
        unusable: list[tuple[str, _BadPolicyValueError]] = []
        for key, value in table.items():
            try:
                values |= _read(key, value, path)
            except _BadPolicyValueError as trouble:
                unusable.append((key, trouble))
        for key, bad in unusable[:_MAX_TOLD]:
            line = _line(files[path], *_WITHIN[path], key, *([bad.part] if bad.part else []))
            problems.append(PolicyProblem(path, line, f"`{key[:_MAX_LENGTH]}` {bad}"))
        if len(unusable) > _MAX_TOLD:
            problems.append(PolicyProblem(path, 0, f"{len(unusable) - _MAX_TOLD} more keys can't be used either."))
    if problems and values.get("strategy") == "reparent":
        del values["strategy"]
    return PolicyRead(Policy(**values, doubtful=bool(problems)), tuple(problems))


def _tables(
    files: Mapping[str, bytes], unread: Mapping[str, str], problems: list[PolicyProblem]
) -> dict[str, dict[str, Any]]:
    """The files that have settings, the one that counts first; what the others would say is no substitute for it."""
    tables: dict[str, dict[str, Any]] = {}
    for path in FILES:
        # A project file that can't be read is no concern of onehead's unless the policy is known to stand there.
        if path in unread and path == OWN_FILE:
            problems.append(PolicyProblem(path, 0, f"It {unread[path]}, so no policy was read. Write a plain file."))
        elif path in files and (table := _table(path, files[path], problems, elsewhere=bool(tables))):
            tables[path] = table
        if problems:
            break
    return tables


def _table(path: str, data: bytes, problems: list[PolicyProblem], *, elsewhere: bool) -> dict[str, Any] | None:
    if path == PROJECT_FILE and b"onehead" not in data:
        return None
    try:
        if path == OWN_FILE and len(data) > MAX_BYTES:
            raise TooLarge(f"it is larger than {MAX_BYTES // 1024} KiB, so it was not parsed")
        document = parsers.toml(data.decode("utf-8"))
    except (ValueError, Spent) as error:
        # What was not parsed at all may hold the table in any spelling.
        concerns = not elsewhere and (isinstance(error, TooLarge | Spent) or _line(data, *_WITHIN[path]))
        if path == OWN_FILE or concerns:
            found = re.search(r"at line (\d+)", str(error))
            message = f"This can't be read as TOML ({error}), so no policy was read."
            problems.append(PolicyProblem(path, int(found[1]) if found else 0, message))
        return None
    if path == OWN_FILE:
        return document
    tool = document.get("tool")
    table = tool.get("onehead") if isinstance(tool, dict) else None
    if table is None or isinstance(table, dict):
        return table
    message = "`tool.onehead` is no table. Write `[tool.onehead]`, then one key a line."
    problems.append(PolicyProblem(path, _line(data, *_WITHIN[path]), message))
    return None


def _read(key: str, value: Any, path: str) -> dict[str, Any]:
    reader = KEYS.get(key)
    if reader is None:
        import difflib  # noqa: PLC0415 - only where something is wrong

        if path == OWN_FILE and key in ("tool", "onehead"):
            raise _BadPolicyValueError(
                f"does not belong here: in `{OWN_FILE}` the keys belong at the top, outside any table."
            )
        close = difflib.get_close_matches(key, KEYS, n=1)
        advice = f"Did you mean `{close[0]}`?" if close else f"Known are {', '.join(f'`{name}`' for name in KEYS)}."
        raise _BadPolicyValueError(f"is not a key of onehead's policy. {advice}")
    return {key.replace("-", "_"): reader(value)}


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise _BadPolicyValueError('is no list of patterns. Write it like ["main", "release/*"].')
    return tuple(value)


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            named = ", ".join(f'"{choice}"' for choice in choices)
            raise _BadPolicyValueError(f"is {_shown(value)}. Choose one of {named}.")
        return str(value)

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _BadPolicyValueError(f"is {_shown(value)}. Write true or false, without quotes.")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value or {"", ".", ".."} & set(value.split("/")):
        raise _BadPolicyValueError(
            f'is {_shown(value)}. Write a path from the top of the repository: "alembic/merge.py.j2".'
        )
    return value


def _allowed_heads(value: Any) -> tuple[tuple[str, int], ...]:
    table = value if isinstance(value, dict) else {"*": value}
    for pattern, most in table.items():
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise _BadPolicyValueError(
                f"is {_shown(most)}. Write a number from 1 on, or one for each environment: "
                '{ "billing/versions" = 2 }.',
                pattern if table is value else "",
            )
    return tuple(table.items())


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value[:_MAX_LENGTH]}"'
    return str(value).lower() if isinstance(value, bool) else str(value)[:_MAX_LENGTH]


KEYS: dict[str, Callable[[Any], Any]] = {
    "targets": _patterns,
    "strategy": _one_of("auto", "merge", "reparent"),
    "shared-databases": _patterns,
    "fresh-ids": _flag,
    "ignore-environments": _patterns,
    "allowed-heads": _allowed_heads,
    "delivery": _one_of("pull-request", "push", "comment"),
    "branches": _one_of("repair", "status"),
    "merge-template": _path,
    "heads-up": _flag,
}
"""Every key, in the order of the reference."""


_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_PATH = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADING = rf"\s*\[\[?\s*({_PATH})\s*\]"
_ASSIGNMENT = rf"\s*({_PATH})\s*="


def _line(data: bytes, *keys: str) -> int:
    """Where a key stands, which tomllib does not tell: the line that leads nearest to it, 0 where none does.

    Good enough for all ways to write a key: under its heading, dotted, quoted, or in an inline table.
    """
    table: tuple[str, ...] = ()
    quotes, best, depth = "", 0, 0
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if quotes:  # inside a text of several lines nothing is a key
            quotes = "" if quotes in line else quotes
            continue
        quotes = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")
        heading = re.match(_HEADING, line)
        found = heading or re.match(_ASSIGNMENT, line)
        if found is None:
            continue
        names = tuple(name.strip("\"'") for name in re.findall(_NAME, found[1]))
        path = names if heading else (*table, *names)
        table = path if heading else table
        same = next((place for place, pair in enumerate(zip(path, keys, strict=False)) if pair[0] != pair[1]), None)
        near = min(len(path), len(keys)) if same is None else 0
        if near > depth:
            best, depth = number, near
    return best
