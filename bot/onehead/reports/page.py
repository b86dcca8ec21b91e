"""The page of the service: HTML from `templates/page/`, for people, without a script. Pure.

Every value is escaped where it is put into a template. Links are relative, so that the page may be below any path of a
proxy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, urlencode

from onehead.plan.rivals import MergeStep, Rival, RivalConflict, merge_order
from onehead.plan.verdict import Coverage
from onehead.render import html, stock
from onehead.reports import graph_svg
from onehead.reports.page_graph import RowLinks, chain_view
from onehead.reports.page_model import CONDITIONS, Condition, RepositoryGraph, ShownPull, ShownRepository
from onehead.reports.terminal import coverage_text, number_of

PER_PAGE = 50
"""Repositories of the list on one page."""

_CONDITION_NAMES: dict[Condition, str] = {
    "forked": "Deployed branch broken",
    "colliding": "Pull request collides",
    "troubled": "Trouble",
    "healthy": "Healthy",
    "plain": "Without Alembic",
}


class Badge(NamedTuple):
    """A verdict as it is shown: a kind for its colour, a sign, and a word that says the same."""

    kind: str
    sign: str
    word: str


_BADGES = {
    "ok": Badge("good", "✓", "healthy"),
    "collision": Badge("bad", "✕", "collides"),
    "fork": Badge("bad", "✕", "forked"),
    "broken": Badge("bad", "✕", "broken"),
    "unreadable": Badge("doubt", "?", "unreadable"),
    "": Badge("doubt", "?", "not judged"),
    "-": Badge("none", "·", "not deployed"),
}
_PLANS = {
    "merge": "merge the heads",
    "reparent": "re-parent the branch",
    "reissue": "new ids for the branch",
    "refuse": "by hand",
}


def style() -> str:
    """The style sheet of the page."""
    return stock("page/style.css").decode()


def styles() -> tuple[str, ...]:
    """The content of every `style` element: what a content security policy is to name."""
    return (style(), graph_svg.style())


def address_of(name: str) -> str:
    """A name as a part of an address; half characters become others, so such a link leads nowhere."""
    return quote(name, errors="replace")


class ForgeLinks(NamedTuple):
    """Addresses of the forge's own pages of one repository; `url` is that of the repository."""

    url: str

    def pull(self, number: int) -> str:
        """Of a pull request."""
        return f"{self.url}/pulls/{number}"

    def branch(self, branch: str) -> str:
        """Of a branch."""
        return f"{self.url}/src/branch/{address_of(branch)}"

    def commit(self, sha: str) -> str:
        """Of a commit."""
        return f"{self.url}/commit/{address_of(sha)}"


class Forge(NamedTuple):
    """The forge; `url` is where the service reaches it, without a trailing slash."""

    url: str

    def links(self, name: str, shown: ShownRepository) -> ForgeLinks:
        """Addresses as people reach the forge, as far as it has named its own: the service may use an inner one."""
        is_address = re.match(r"https?://", shown.url) is not None
        return ForgeLinks(shown.url if is_address else f"{self.url}/{address_of(name)}")


def message_page(message: str) -> str:
    """A page that says one thing."""
    return html("message.html.j2", {"style": style(), "message": message})


def refused_page() -> str:
    """The page for whoever has no token, or another one."""
    return html("refused.html.j2", {"style": style()})


class ListQuestion(NamedTuple):
    """What is wanted of the list: names that hold a text, in one condition or all (empty), a page of them (from 1)."""

    text: str = ""
    condition: str = ""
    page: int = 1


class ListPart(NamedTuple):
    """A page of the list: the names on it, in order; how many fit, how many pages; how many of each condition."""

    question: ListQuestion
    names: tuple[str, ...]
    found: int
    pages: int
    counts: Mapping[Condition, int]


def list_part(conditions: Mapping[str, Condition], question: ListQuestion) -> ListPart:
    """What is on a page of the list: the worst condition first, then by name; a page too high is the last one."""
    wanted = question.text.casefold()
    matching = {name: each for name, each in conditions.items() if wanted in name.casefold()}
    counts = Counter(matching.values())
    fitting = [name for name, each in matching.items() if question.condition in ("", each)]
    rank = {each: number for number, each in enumerate(CONDITIONS)}
    fitting.sort(key=lambda name: (rank[matching[name]], name.casefold()))
    pages = max(1, -(-len(fitting) // PER_PAGE))
    page = min(max(1, question.page), pages)
    names = tuple(fitting[(page - 1) * PER_PAGE : page * PER_PAGE])
    ordered: dict[Condition, int] = {each: counts[each] for each in CONDITIONS}
    return ListPart(question._replace(page=page), names, len(fitting), pages, ordered)


def list_page(part: ListPart, shown: Mapping[str, ShownRepository], forge: Forge, now: datetime) -> str:
    """The list of repositories."""
    question = part.question
    total = sum(part.counts.values())
    tabs = [("", "All", total), *((each, _CONDITION_NAMES[each], part.counts[each]) for each in CONDITIONS)]

    def address(condition: str, page: int = 1) -> str:
        given = {"q": question.text, "is": condition, "page": "" if page == 1 else str(page)}
        return "?" + urlencode({name: text for name, text in given.items() if text}, errors="replace")

    return html(
        "list.html.j2",
        {
            **_common(forge, now),
            "question": question,
            "found": part.found,
            "pages": part.pages,
            "tabs": [(address(each), name, count, each == question.condition) for each, name, count in tabs],
            "earlier": address(question.condition, question.page - 1) if question.page > 1 else "",
            "later": address(question.condition, question.page + 1) if question.page < part.pages else "",
            "repositories": [(name, shown[name], _pulls_line(shown[name])) for name in part.names if name in shown],
        },
    )


def _pulls_line(shown: ShownRepository) -> tuple[int, list[ShownPull], int]:
    """How many pull requests of people are open, which of them collide, and how many of these have rivals."""
    theirs = [pull for pull in shown.pulls if not pull.is_repair]
    bad = [pull for pull in theirs if _is_bad(pull)]
    return len(theirs) + shown.more_pulls, bad, sum(1 for pull in theirs if pull.rivals)


def _is_bad(pull: ShownPull) -> bool:
    return pull.verdict not in ("ok", "-")


class GraphQuestion(NamedTuple):
    """Which deployed branch is drawn (empty: the first), and the ids in folded parts that are to be shown."""

    branch: str = ""
    opened: tuple[str, ...] = ()


def repository_page(
    name: str,
    shown: ShownRepository,
    graph: RepositoryGraph,
    forge: Forge,
    now: datetime,
    question: GraphQuestion = GraphQuestion(),  # noqa: B008 - a value
) -> str:
    """The page of one repository."""
    at = forge.links(name, shown)
    links = RowLinks(at.pull, at.commit)
    view = chain_view(graph, question.branch, question.opened, links)
    numbers = {pull.number for pull in shown.pulls}
    orders = merge_order(
        {pull.number: tuple(rival for rival in pull.rivals if rival.number in numbers) for pull in shown.pulls}
    )
    pulls = {pull.number: pull for pull in shown.pulls}
    return html(
        "repository.html.j2",
        {
            **_common(forge, now),
            "name": name,
            "shown": shown,
            "pulls": sorted(shown.pulls, key=lambda pull: (not _is_bad(pull), pull.is_repair, pull.number)),
            "view": view,
            "at": at,
            "links": links,
            "graph_style": graph_svg.style(),
            "branches": [
                (each.branch, f"?{urlencode({'branch': each.branch}, errors='replace')}#graph")
                for each in graph.targets
            ],
            "orders": [[(pulls[step.number], _step_line(step, pulls)) for step in steps] for steps in orders],
        },
    )


def _step_line(step: MergeStep, pulls: Mapping[int, ShownPull]) -> list[tuple[int, str]]:
    """Those before, and what both have."""
    mine = {rival.number: rival for rival in pulls[step.number].rivals}
    theirs = {number: _rival_of(pulls[number], step.number) for number in step.after}
    return [
        (number, shared(found))
        for number in step.after
        if (found := mine.get(number) or theirs.get(number)) is not None
    ]


def _rival_of(pull: ShownPull, number: int) -> Rival | None:
    return next((rival for rival in pull.rivals if rival.number == number), None)


def shared(rival: Rival) -> str:
    """What two pull requests have in common and should not, a clause."""
    match rival.clash:
        case RivalConflict.ID:
            return f"both have a revision with the id `{rival.what}`"
        case RivalConflict.PARENT if not rival.what:
            return "both begin a chain of their own"
        case RivalConflict.PARENT:
            return f"both add a revision after `{rival.what}`"
        case RivalConflict.NUMBER:
            return f"both use the number `{rival.what}`"


def _common(forge: Forge, now: datetime) -> dict[str, object]:
    """What every page needs."""
    return {
        "style": style(),
        "forge": forge,
        "badges": _BADGES,
        "plans": _PLANS,
        "ago": lambda moment: ago(moment, now),
        "coverage": coverage_text,
        "files_read": files_read,
        "number_of": number_of,
        "address_of": address_of,
        "shared": shared,
        "first_lines": first_lines,
    }


def files_read(coverage: Coverage) -> str:
    """What was looked at, in a few words: a verdict without it could be a blind one."""
    if coverage.environments == 0:
        return "no environment"
    files = f"{coverage.read} of {number_of(coverage.files, 'file')} read"
    return f"{number_of(coverage.environments, 'environment')}, {files}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago something was, in the largest fitting unit."""
    passed = max(timedelta(), now - moment)
    for unit, seconds in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number = int(passed.total_seconds()) // seconds
        if number:
            return f"{number_of(number, unit)} ago"
    return "just now"


def first_lines(lines: Iterable[str], most: int) -> tuple[list[str], int]:
    """The first ones, and how many more there are."""
    found = list(lines)
    return found[:most], max(0, len(found) - most)
