"""What the page of the service shows of a repository: values that are bounded, whatever the repository holds.

They are kept between looks, in memory or in PostgreSQL (see `service/page_store.py`), so what they hold is no more than
what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from onehead.plan.rivals import Rival
from onehead.plan.verdict import Coverage
from onehead.text import cut_words, visible

MAX_TARGETS = 20
MAX_ENVIRONMENTS = 20
MAX_HEADS = 8
MAX_PROBLEMS = 8
MAX_PULLS = 100
MAX_RIVALS_SHOWN = 8
MAX_DATABASES_SHOWN = 50
MAX_ROWS_SHOWN = 8
"""Of each repository, target, environment, pull request or database; what is more is counted."""

MAX_SENTENCE = 400  # characters
MAX_TITLE = 120
MAX_PERSON = 60
MAX_PATH = 200
_MAX_ID = 80
_MAX_HASHED = 1000  # characters at either end


def plain_line(text: str, limit: int) -> str:
    """A text of a repository in one line of so many characters, without what can't be seen."""
    return cut_words(visible(" ".join(text[: 8 * limit].split())), limit)


def short_id(id_: str) -> str:
    """An id of a revision; one that is longer than anybody writes, or can't be seen, is cut, and stays unique."""
    if len(id_) <= _MAX_ID and id_.isprintable():
        return id_
    # The rest of it counts by its length: an id may be as long as its file.
    digest = sha256(f"{len(id_)} {id_[:_MAX_HASHED]}{id_[-_MAX_HASHED:]}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{visible(id_[: _MAX_ID - 17])}…{digest[:16]}"


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """A finding: its code, how bad it is, and what it says."""

    code: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class ShownEnvironment:
    """One environment of a deployed branch; `heads` are the first of `count`."""

    path: str
    heads: tuple[str, ...]
    count: int
    revisions: int


@dataclass(frozen=True, slots=True)
class ShownTarget:
    """A deployed branch as it was judged last; `verdict` is empty where it could not be, and `says` why."""

    branch: str
    sha: str
    verdict: str
    says: str
    coverage: Coverage | None = None
    environments: tuple[ShownEnvironment, ...] = ()
    problems: tuple[ShownProblem, ...] = ()
    plan: str = ""
    repair: int | None = None


@dataclass(frozen=True, slots=True)
class ShownPull:
    """An open pull request as it was judged last.

    `verdict` is empty where it could not be judged, and `says` why; it is `-` where its base is not deployed. `plan` is
    the kind of its repair, `repair` the number of the pull request that holds it. `rivals`: those with which it would
    clash once both have landed. `is_repair`: it is a repair by onehead.
    """

    number: int
    title: str
    author: str
    branch: str
    base: str
    verdict: str
    says: str
    plan: str = ""
    repair: int | None = None
    rivals: tuple[Rival, ...] = ()
    draft: bool = False
    is_repair: bool = False


@dataclass(frozen=True, slots=True)
class ShownDatabase:
    """A database that has reported its rows, and when.

    `missing`: how many revisions of the first deployed branch it has not run; `None` where that can't be said.
    `unknown`: rows of it that no file there declares.
    """

    name: str
    environment: str
    rows: tuple[str, ...]
    at: str
    missing: int | None
    unknown: tuple[str, ...] = ()


Condition = Literal["forked", "colliding", "troubled", "healthy", "plain"]
"""How a repository is, the worst first: a deployed branch has a problem; a pull request has; something could not be
judged or done; all is well; there is no Alembic."""

CONDITIONS: tuple[Condition, ...] = ("forked", "colliding", "troubled", "healthy", "plain")


@dataclass(frozen=True, slots=True)
class ShownRepository:
    """What is known of a repository since it was looked at last.

    `url`: its page on the forge, as that names itself. `trouble`: why that look could not be finished; empty where it
    was. `more_pulls`: open ones that are not shown.
    """

    at: datetime
    targets: tuple[ShownTarget, ...] = ()
    pulls: tuple[ShownPull, ...] = ()
    databases: tuple[ShownDatabase, ...] = ()
    trouble: str = ""
    more_pulls: int = 0
    url: str = ""

    @property
    def condition(self) -> Condition:
        """How it is."""
        if any(target.verdict not in ("", "ok", "unreadable") for target in self.targets):
            return "forked"
        if any(pull.verdict not in ("", "-", "ok", "unreadable") for pull in self.pulls):
            return "colliding"
        verdicts = {target.verdict for target in self.targets} | {pull.verdict for pull in self.pulls}
        if self.trouble or not verdicts.isdisjoint(("", "unreadable")):
            return "troubled"
        return "healthy" if any(target.environments for target in self.targets) else "plain"


@dataclass(frozen=True, slots=True)
class GraphRow:
    """One revision in the graph of an environment.

    Attributes:
        parents, needs: as it declares them (`down_revision`, `depends_on`); what no row declares is missing.
        labels: of its branch.
        does: what it does to the schema, a clause; empty where that was not looked at.
        author: who wrote it; `commit`: the one that brought it.
        pull: the number of the pull request that brought it, or would.
        blob: git's id of the file, where what stands above was looked for.
    """

    id: str
    parents: tuple[str, ...]
    message: str
    does: str = ""
    author: str = ""
    commit: str = ""
    pull: int | None = None
    blob: str = ""
    needs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentGraph:
    """The revisions of one environment, parents first; `older` ones are not kept, and what stands on them has none."""

    path: str
    rows: tuple[GraphRow, ...]
    older: int = 0


@dataclass(frozen=True, slots=True)
class TargetGraph:
    """The environments of a deployed branch at one commit."""

    branch: str
    sha: str
    environments: tuple[EnvironmentGraph, ...]

    def ids(self) -> set[str]:
        """Of all its revisions."""
        return {row.id for environment in self.environments for row in environment.rows}


@dataclass(frozen=True, slots=True)
class ProposedRows:
    """What an open pull request would bring to an environment of its base."""

    pull: int
    base: str
    environment: str
    rows: tuple[GraphRow, ...]


@dataclass(frozen=True, slots=True)
class RepositoryGraph:
    """All that is drawn of a repository."""

    targets: tuple[TargetGraph, ...] = ()
    proposed: tuple[ProposedRows, ...] = ()

    def rows(self) -> Iterable[GraphRow]:
        """Every row."""
        for target in self.targets:
            for environment in target.environments:
                yield from environment.rows
        for proposed in self.proposed:
            yield from proposed.rows
