"""Who brought a finding, and how bad that makes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from onehead.plan.facts import Facts
from onehead.plan.findings import KINDS, Code, Finding, Severity, Side
from onehead.wording import quoted


def finding_of(
    facts: Facts,
    code: Code,
    side: Side,
    message: str,
    revisions: Iterable[str] = (),
    paths: Iterable[str] = (),
    severity: Severity | None = None,
    blinds: bool | None = None,
) -> Finding:
    """A finding as bad as its kind is, or less where the target has it already."""
    kind = KINDS[code]
    inherited = side == "target" and facts.head is not None
    # A file that could not be read before either hides nothing new, but stays worth a look.
    lessened: Severity = "warning" if kind.blinds else "note"
    return Finding(
        code,
        lessened if inherited else (severity or kind.severity),
        side,
        message,
        tuple(sorted(set(revisions))),
        tuple(sorted(set(paths))),
        (kind.blinds if blinds is None else blinds) and not inherited,
    )


def side_of(facts: Facts, old: bool) -> Side:
    """Who brought it: the head, unless the target has it already or there is no head."""
    return "target" if facts.head is None or old else "head"


def named(ids: Collection[str]) -> str:
    """Ids as people read them: `a`, `b` and `c`."""
    return quoted(ids) or "none"
