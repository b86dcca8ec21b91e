"""The databases that have reported their rows: lines for people, an object for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from onehead.databases.reported import Known, Progress, day
from onehead.plan.verdict import Point
from onehead.reports.paint import Paint, plain, visible
from onehead.reports.text import short_ref


class Listed(NamedTuple):
    """A database, and how far it is in each environment that it may belong to."""

    known: Known
    progress: Mapping[str, Progress]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Rows of today that no environment declares."""
        return tuple(r for r in self.known.rows if all(r in each.unknown for each in self.progress.values()))


def databases_document(listed: Sequence[Listed], at: Point, trouble: str) -> dict[str, Any]:
    """The object of `onehead databases --format json` (docs/schema/onehead.databases-1.json)."""
    return {
        "schema": "onehead.databases/1",
        "at": {"ref": at.ref, "sha": at.sha},
        "trouble": trouble or None,
        "databases": [
            {
                "database": each.known.name,
                "environment": each.known.environment or None,
                "rows": list(each.known.rows),
                "since": each.known.at,
                "unknown": list(each.unknown),
                "environments": [
                    {"path": path, "missing": progress.missing} for path, progress in each.progress.items()
                ],
                "held": [{"row": row, "since": since} for row, since in each.known.held],
            }
            for each in listed
        ],
    }


def databases_text(listed: Sequence[Listed], at: Point, trouble: str, fetch: str, paint: Paint = plain) -> str:
    """One line per database; `fetch` is the command for who has not fetched them."""
    lines = [f"{paint('bad', 'Not sure')}: {visible(trouble)}"] if trouble else []
    if not listed:
        lines += [
            "No database is known in this clone.",
            f"What the service knows comes with: {fetch}",
        ]
    width = max((len(visible(each.known.name)) for each in listed), default=0)
    for each in listed:
        rows = ", ".join(map(visible, each.known.rows)) or "no rows"
        name = paint("strong", visible(each.known.name).ljust(width))
        lines.append(f"{name}  {rows} since {day(each.known.at)}: {_standing(each, short_ref(at.ref), paint)}")
    return "\n".join(lines) + "\n"


def _standing(each: Listed, ref: str, paint: Paint) -> str:
    unknown = ", ".join(map(visible, each.unknown))
    if unknown:
        return f"{paint('bad', f'{unknown} is declared by no file')} of {ref}; deploy the version that has it"
    if not each.progress:
        return f"belongs to no environment of {ref}"
    several = len(each.progress) > 1
    told = []
    for path, progress in each.progress.items():
        lacks = f"lacks {progress.missing} of {ref}" if progress.missing else f"has run all of {ref}"
        told.append(f"{visible(path)} {lacks}" if several else lacks)
    return "; ".join(told)
