"""`onehead explain`: what the crash of a deploy means, from its log and this repository."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from onehead.entrypoints.terminal import SignOfLife, painter
from onehead.errors import UsageError
from onehead.flows.bodies import traces_in
from onehead.flows.examine import examine
from onehead.flows.memory import memory_for
from onehead.flows.others import Others
from onehead.flows.whereabouts import whereabouts
from onehead.gitrepo.command import Git
from onehead.gitrepo.refs import resolve
from onehead.plan.facts import Evidence
from onehead.plan.verdict import Point
from onehead.reports.explained import CrashLog, explained_text
from onehead.states.crash import Trouble, crashes_in
from onehead.states.rows import Whereabouts
from onehead.states.traces import Traces

_MOST_BYTES = 64 * 1024 * 1024
"""Of a longer log only the end is read: that is where a crash stands."""


def run(options: argparse.Namespace) -> int:
    """Explain; 3 when the log says nothing about migrations, or the files can't be read."""
    git = Git(Path(options.repo).absolute())
    memory = memory_for(os.path.realpath(options.repo))
    at = Point(options.at, resolve(git, options.at))
    crashes = crashes_in(_log(options.file))
    with SignOfLife("reading revisions"):
        examination, trees = examine(
            git, at, None, strategy="merge", memory=memory, evidence=lambda _facts, _policy: Evidence()
        )
        named = [crash.subject for crash in crashes if crash.trouble == Trouble.CANNOT_LOCATE]
        needs_makers = any(crash.trouble == Trouble.DUPLICATE_OBJECT for crash in crashes)
        places: dict[str, Whereabouts] = {}
        makers = {}
        others = Others(git, memory)
        for examined in examination.environments:
            facts = examined.facts
            unknown = [id_ for id_ in named if id_ not in facts.target and id_ not in places]
            places |= whereabouts(others, facts, unknown)
            if needs_makers:
                makers[facts.environment.path] = _makers(traces_in(facts, trees))
    sys.stdout.write(explained_text(CrashLog(crashes, examination, places, makers), painter(sys.stdout)))
    return 3 if not crashes or examination.verdict == "unreadable" else 0


def _log(file: str) -> str:
    try:
        if file == "-":
            if sys.stdin.isatty():
                print("Paste the log, then press Ctrl-D:", file=sys.stderr)
            data = sys.stdin.buffer.read()
        else:
            data = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"The log {file} can't be read: {error.strerror}.") from error
    return data[-_MOST_BYTES:].decode("utf-8", "replace")


def _makers(traces: dict[str, Traces]) -> dict[str, list[str]]:
    """Name of what can be there already → the revisions that make it."""
    found: dict[str, list[str]] = {}
    for id_, each in traces.items():
        for trace in each.left:
            if trace.there and not trace.implied:
                makers = found.setdefault(trace.thing.name.casefold(), [])
                if id_ not in makers:
                    makers.append(id_)
    return found
