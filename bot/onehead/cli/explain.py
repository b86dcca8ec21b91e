"""`onehead explain`: what the crash of a deploy means, from its log and this repository."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import BinaryIO

from onehead.cli.sides import commit_named
from onehead.cli.terminal import SignOfLife, again, painter
from onehead.databases.crash_catalogue import CrashKind
from onehead.databases.crash_log import read_log
from onehead.databases.schema_effects import SchemaEffects
from onehead.databases.states import RevisionLocation
from onehead.errors import UsageError
from onehead.examine.evidence import Others
from onehead.examine.examine import judge_alone
from onehead.examine.locations import schema_effects_in, whereabouts
from onehead.reports.crash import CrashLog, explained_text

MAX_BYTES = 8 * 1024 * 1024
"""Of a longer log only the end is read: that is where a crash stands."""

_MAX_PASSED_OVER = 1024 * 1024 * 1024
"""Bytes of a stream that may go by before the end that is read."""

_CHUNK = 1024 * 1024

_NAMES_A_REVISION = (CrashKind.CANNOT_LOCATE, CrashKind.MISSING_PARENT)
_NAMES_A_THING = (CrashKind.ALREADY_THERE, CrashKind.NOT_THERE, CrashKind.NEW_ENUM_VALUE)


def run(options: argparse.Namespace) -> int:
    """Explain; 3 when the log holds nothing that can be explained, or the files can't be read."""
    git, at = commit_named(options)
    data, is_whole = _log(options.file)
    reading = read_log(data.decode("utf-8", "replace"))
    with SignOfLife("reading revisions"):
        examination, trees = judge_alone(git, at)
        named = [crash.subject for crash in reading.crashes if crash.trouble in _NAMES_A_REVISION and crash.subject]
        needs_traces = any(crash.trouble in _NAMES_A_THING for crash in reading.crashes)
        places: dict[str, RevisionLocation] = {}
        traces: dict[str, dict[str, SchemaEffects]] = {}
        known: set[str] = set()
        others = Others(git, trees.memory)
        for examined in examination.environments:
            facts = examined.facts
            known |= facts.target.revisions.keys()
            unknown = [id_ for id_ in named if id_ not in facts.target and not _is_known(places, id_)]
            places |= whereabouts(others, facts, unknown)
            if needs_traces:
                traces[facts.environment.path] = schema_effects_in(facts, trees)
    known |= {id_ for id_ in places if _is_known(places, id_)}
    log = CrashLog(reading.believed(known), examination, places, traces, is_whole, options.repo)
    sys.stdout.write(again(options, explained_text(log, painter(sys.stdout))))
    return 3 if not log.reading.crashes or examination.verdict == "unreadable" else 0


def _is_known(places: dict[str, RevisionLocation], id_: str) -> bool:
    return bool(places.get(id_, RevisionLocation()) != RevisionLocation())


def _log(file: str) -> tuple[bytes, bool]:
    """The end of a log, and whether that is all of it."""
    try:
        if file == "-":
            if sys.stdin.isatty():
                print("Paste the log, then press Ctrl-D:", file=sys.stderr)
            return _end(sys.stdin.buffer)
        with Path(file).open("rb") as stream:
            if stream.seekable():
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - MAX_BYTES - 1))
            return _end(stream)
    except OSError as error:
        raise UsageError(f"The log {file} can't be read: {error.strerror}.") from error


def _end(stream: BinaryIO) -> tuple[bytes, bool]:
    kept = bytearray()
    seen = 0
    while chunk := stream.read(_CHUNK):
        seen += len(chunk)
        kept += chunk
        if len(kept) > 2 * MAX_BYTES:
            del kept[:-MAX_BYTES]
        if seen > _MAX_PASSED_OVER:
            raise UsageError(
                f"The log is longer than {_MAX_PASSED_OVER // _CHUNK} MiB.", f"Give its end: tail -c {MAX_BYTES}"
            )
    return bytes(kept[-MAX_BYTES:]), seen <= MAX_BYTES
