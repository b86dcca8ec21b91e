"""Who brought the sides of a fork: lines of a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onehead.databases.model import StateTable
from onehead.plan.facts import Facts
from onehead.plan.verdict import Examination
from onehead.quoting import code, inline
from onehead.reports.text import short_ref
from onehead.wording import listed, shortened

MOST_SIDES = 8
"""Sides of a fork that a comment tells of."""


def sides(
    facts: Facts, examination: Examination, tables: Iterable[StateTable], brought_by: Mapping[str, str]
) -> list[dict[str, str]]:
    """One line per side.

    Args:
        facts: the environment.
        examination: the verdict.
        tables: of its forks.
        brought_by: path of a revision file → who brought it, as Markdown.
    """
    names = {"target": code(short_ref(examination.target.ref)), "head": "this branch"}
    found: list[dict[str, str]] = []
    left_out = 0
    for fork in (table.fork for table in tables):
        shared = facts.merged.ancestors(*fork.points)
        # The branch's own are told of first where not all can be.
        heads = (
            fork.heads if len(fork.heads) <= MOST_SIDES else [*fork.new, *(h for h in fork.heads if h not in fork.new)]
        )
        shown = heads[: max(0, MOST_SIDES - len(found))]
        left_out += len(heads) - len(shown)
        for head in shown:
            ids = facts.merged.parents_first(facts.merged.ancestors(head) - shared)
            people = [brought_by.get(facts.merged.revisions[id_].path, "") for id_ in ids]
            found.append(
                {
                    "name": names["head" if head in fork.new else "target"],
                    "revisions": _listed([_named(facts, id_) for id_ in ids]),
                    "brought_by": listed(list(dict.fromkeys(filter(None, people))), last=", ") or "?",
                }
            )
    if left_out:
        found.append({"name": f"and {left_out} more", "revisions": "", "brought_by": ""})
    return found


def _named(facts: Facts, id_: str) -> str:
    return f"{code(shortened(id_), in_table=True)} {inline(facts.merged.revisions[id_].doc, 60)}".strip()


def _listed(items: list[str], most: int = 4) -> str:
    rest = len(items) - most
    return "<br>".join(items[:most]) + (f"<br>and {rest} more" if rest > 0 else "")
