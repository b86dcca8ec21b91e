"""Where a revision stands that the judged commit does not have: on another branch, or in the past."""

from __future__ import annotations

from collections.abc import Iterable

from onehead.flows.evidence import spoken
from onehead.flows.others import Others
from onehead.gitrepo.command import Git
from onehead.gitrepo.refs import Ref
from onehead.gitrepo.snapshot import read
from onehead.gitrepo.vanished import Vanished, vanished
from onehead.plan.facts import Facts
from onehead.revisions.parse import MAX_BYTES, parse
from onehead.states.rows import Whereabouts

_MOST_REFS = 5


def whereabouts(others: Others, facts: Facts, ids: Iterable[str]) -> dict[str, Whereabouts]:
    """Look for revisions on every branch, tag and pull request, and then in history.

    Args:
        others: the refs of the repository.
        facts: the environment that does not have them.
        ids: which.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    places = facts.environment.locations
    standing = others.standing(
        {place.path for place in places},
        [revision.blob for revision in facts.merged],
        recursive=any(place.recursive is not False for place in places),
    )
    found = {}
    for id_ in wanted:
        holdings = [each for each in standing.with_id(id_) if not others.is_ours(Ref(each.ref, each.sha))]
        refs = tuple(dict.fromkeys(spoken(each.ref) for each in holdings))[:_MOST_REFS]
        found[id_] = Whereabouts(refs) if refs else _in_the_past(others.git, id_, [place.path for place in places])
    return found


def _in_the_past(git: Git, id_: str, directories: list[str]) -> Whereabouts:
    for each in vanished(git, id_, directories):
        if _declared(git, each.before) != id_:
            continue
        after = "" if each.after is None else _declared(git, each.after) or ""
        if after != id_:
            return Whereabouts((), _named(each), after)
    return Whereabouts()


def _declared(git: Git, blob: str) -> str | None:
    data = read(git, [blob], MAX_BYTES).data.get(blob)
    return None if data is None else parse(data).revision


def _named(each: Vanished) -> str:
    return f"{each.commit.sha[:10]} {each.commit.subject}"
