"""What a doctor says of a database in a comment: the diagnosis of the terminal, in Markdown.

Values in, the text of `templates/answer/doctor.md.j2` out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from onehead.databases.model import Diagnosis, Way
from onehead.databases.states import MOST_RUNS, THE_MERGE, Outcome, Whereabouts, spoken
from onehead.plan.verdict import Point
from onehead.quoting import code, inline, inline_code
from onehead.render import environment
from onehead.reports.ailments import told
from onehead.reports.doctor import NO_WAY
from onehead.reports.text import short_ref

_PULL = re.compile(r"pull request (#\d+)")


def doctor_answer(
    diagnoses: Mapping[str, Diagnosis], places: Mapping[str, Whereabouts], merged: Mapping[str, Outcome], target: Point
) -> str:
    """The answer to `/onehead doctor`.

    Args:
        diagnoses: path of an environment → what ails the database, seen from there.
        places: rows that the files don't declare → where they stand otherwise.
        merged: path of a forked environment → what an upgrade does once its heads are merged.
        target: the deployed branch whose files were read.
    """
    branch = short_ref(target.ref)
    values = [_environment(path, each, places, merged.get(path), branch) for path, each in diagnoses.items()]
    read = f"{code(branch)} at {target.sha[:10]}"
    return environment().get_template("answer/doctor.md.j2").render(environments=values, read=read).strip()


def _environment(
    path: str, diagnosis: Diagnosis, places: Mapping[str, Whereabouts], merged: Outcome | None, target: str
) -> dict[str, Any]:
    rows = [row.text for row in diagnosis.rows or ()]
    command = f"alembic upgrade {diagnosis.target}"
    claimed = sum(revision.claimed for revision in diagnosis.revisions.values())
    return {
        "path": code(path),
        "rows": " and ".join(map(code, rows)) or "no row",
        "share": f"Its rows stand for {claimed} of {len(diagnosis.revisions)} revisions; no table was looked at.",
        "next_upgrade": _told(command, diagnosis.outcome),
        "once_merged": _told(command, merged, "once the heads are merged, ") if merged else "",
        "complaints": [
            {
                "severity": complaint.severity,
                "code": str(complaint.ailment),
                "message": inline_code(words.message),
                "next": inline_code(words.next),
                "question": inline_code(words.question),
                "see": _pulls([ref for name in complaint.names for ref in places.get(name, Whereabouts()).refs]),
            }
            for complaint in diagnosis.complaints
            for words in [told(complaint, diagnosis, places, target)]
        ],
        "ways": [_way(way) for way in diagnosis.ways],
        "no_way": "" if diagnosis.ways or diagnosis.is_healthy else NO_WAY,
    }


def _told(command: str, outcome: Outcome, when: str = "") -> str:
    mark = {"ok": ":white_check_mark:", "error": ":x:", "loss": ":warning:", "repeat": ":warning:"}[outcome.kind]
    runs = [id_ for id_ in outcome.runs if id_ != THE_MERGE]
    match outcome.kind:
        case "error":
            does = f"stops: {inline(outcome.error or '', 300)}"
        case "loss":
            does = f"exits without an error, but {inline(spoken(outcome), 300)}"
        case "repeat":
            does = f"does not see that {inline(spoken(outcome), 300)}"
        case _ if runs:
            does = f"runs {' '.join(map(code, runs)) if len(runs) <= MOST_RUNS else inline(spoken(outcome), 300)}"
        case _:
            does = "has nothing to do"
    return f"{mark} {when}{code(command)} {does}."


def _way(way: Way) -> dict[str, Any]:
    return {
        "condition": inline_code(way.condition),
        "steps": [
            {
                "command": code(step.command),
                "effect": step.effect,
                "destructive": step.effect == "destructive",
                "why": inline_code(step.why),
            }
            for step in way.steps
        ],
    }


def _pulls(refs: list[str]) -> str:
    """The pull requests among some refs, as links."""
    found = [match[1] for match in map(_PULL.fullmatch, refs) if match]
    return " and ".join(dict.fromkeys(found))
