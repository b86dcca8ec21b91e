"""`onehead states`, `doctor`, `databases` and `explain`: what databases hold, and what an upgrade does to them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from onehead.cli.sides import again, commit_named, examined, narrowed, sign_of_life
from onehead.cli.verbs import address_given
from onehead.databases.crash_catalogue import CrashKind
from onehead.databases.crash_log import read_log
from onehead.databases.diagnosis import diagnose, diagnose_rows
from onehead.databases.model import Diagnosis, ProblemKind
from onehead.databases.reported import progress, standpoints
from onehead.databases.schema_effects import SchemaEffects
from onehead.databases.schema_evidence import things_to_look_for
from onehead.databases.state_table import fork_outcomes
from onehead.databases.states import RevisionLocation
from onehead.errors import UsageError
from onehead.examine.changes import Repairs
from onehead.examine.evidence import Others
from onehead.examine.examine import Trees, judge_alone
from onehead.examine.ledger import read_ledger
from onehead.examine.locations import formerly, locations_of, schema_effects_in, version_table_of
from onehead.examine.naming import DATABASES
from onehead.gitrepo.process import as_typed
from onehead.plan.findings import Facts
from onehead.plan.plans import Merge
from onehead.plan.verdict import Examination
from onehead.reports.crash import CrashLog, explained_text
from onehead.reports.doctor import (
    DoctorReport,
    Listed,
    databases_document,
    databases_text,
    doctor_document,
    doctor_text,
)
from onehead.reports.states import states_document, states_text
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse, revision_of
from onehead.screen import painter


def run_states(options: argparse.Namespace) -> int:
    """Tell, whatever there is to tell; exits with 3 only when what could not be read may hide a fork."""
    # What a merge would look like is wanted whether or not one is the right repair.
    with examined(options, "merge") as work:
        repairs = work.repairs()
        examination = narrowed(repairs.examination if repairs else work.examination, options.environment)
        with sign_of_life("computing states"):
            merges = _merges(repairs) if repairs else {}
            databases = read_ledger(work.git).databases
            told = {
                each.facts.environment.path: fork_outcomes(
                    each.facts,
                    options.rows,
                    merges.get(each.facts.environment.path),
                    standpoints(each.facts, databases),
                    each.moved_ids,
                )
                for each in examination.environments
            }
    if options.format == "json":
        text = json.dumps(states_document(examination, told), indent=2) + "\n"
    else:
        text = states_text(examination, told, painter(sys.stdout), work.found, with_inconsistent=options.all)
        text = again(options, text)
    sys.stdout.write(text)
    return 3 if examination.verdict == "unreadable" else 0


def _merges(repairs: Repairs) -> dict[str, dict[frozenset[str], str]]:
    """Environment → heads → id of the merge revision that `onehead fix` would write."""
    found: dict[str, dict[frozenset[str], str]] = {}
    for path in (e.facts.environment.path for e in repairs.examination.environments if isinstance(e.plan, Merge)):
        for change in repairs.changes.get(path, ()):
            made = revision_of(change.path, "", parse(change.data or b""))
            if isinstance(made, Revision):
                found.setdefault(path, {})[frozenset(made.parents)] = made.id
    return found


def run_doctor(options: argparse.Namespace) -> int:
    """Look, and tell; 1 when the next upgrade would fail or lose something, 3 when files could not be read."""
    if options.rows is None and options.database_url is None and options.database_url_file is None:
        raise UsageError(
            "There is no database to look at.",
            "Give `--database-url URL`, or `--rows 018` where the database can't be reached from here.",
        )
    git, at = commit_named(options)
    with sign_of_life("looking at revisions and database"):
        examination, trees = judge_alone(git, at)
        # The environments that are asked about, by path.
        environments = narrowed(examination, options.environment).environments
        chosen = {each.facts.environment.path: each.facts for each in environments}
        others = Others(git, trees.memory)
        if (rows := options.rows) is not None:
            found = {path: diagnose_rows(facts, rows, formerly(others, facts, rows)) for path, facts in chosen.items()}
            visit = DoctorReport(examination, None, _fitting(found, rows), {})
        else:
            visit = _by_sight(examination, trees, chosen, options, others)
        places: dict[str, RevisionLocation] = {}
        for path, diagnosis in visit.diagnoses.items():
            places |= locations_of(others, chosen[path], diagnosis.of(ProblemKind.UNKNOWN_ROW))
        visit = visit._replace(places=places, repo=options.repo)
    if options.format == "json":
        sys.stdout.write(json.dumps(doctor_document(visit), indent=2) + "\n")
    else:
        sys.stdout.write(doctor_text(visit, painter(sys.stdout)))
    if examination.verdict == "unreadable":
        return 3
    return 0 if visit.is_healthy else 1


def _by_sight(
    examination: Examination, trees: Trees, chosen: Mapping[str, Facts], options: argparse.Namespace, others: Others
) -> DoctorReport:
    # Only here: whoever names rows need not have SQLAlchemy's drivers, nor wait for it to load.
    from onehead.databases.inspect import Address, look  # noqa: PLC0415

    address = Address(address_given(options))
    diagnoses: dict[str, Diagnosis] = {}
    notes: list[str] = []
    rows: set[str] = set()
    for path, facts in chosen.items():
        traces = schema_effects_in(facts, trees)
        names = version_table_of(facts, trees)
        table = options.version_table or names.table or "alembic_version"
        schema = options.version_schema or names.schema
        given = options.version_table is not None or options.version_schema is not None
        if names.computed and facts.environment.script_location is not None and not given:
            notes.append(
                f"env.py of {path} computes {' and '.join(names.computed)}, so the usual one was taken: {table}. "
                "--version-table and --version-schema name another."
            )
        inspection = look(address, things_to_look_for(facts.merged, traces), table, schema)
        held = inspection.version.rows if inspection.version else ()
        rows |= set(held)
        sure = given or (not names.computed and (names.table, names.schema) != (None, None))
        diagnoses[path] = diagnose(facts, traces, inspection, formerly(others, facts, held), version_table_is_sure=sure)
    return DoctorReport(examination, str(address), _fitting(diagnoses, tuple(rows)), {}, tuple(notes))


def _fitting(diagnoses: dict[str, Diagnosis], rows: tuple[str, ...]) -> dict[str, Diagnosis]:
    """Of several environments those that know a row: the database belongs to these."""
    if len(diagnoses) < 2:
        return diagnoses
    knowing = {path: each for path, each in diagnoses.items() if any(row in each.graph for row in rows)}
    if not knowing:
        raise UsageError(
            "This repository has several environments, and none of them has a row of this database.",
            f"Say which one it belongs to: --environment {' or '.join(diagnoses)}.",
        )
    return knowing


def run_databases(options: argparse.Namespace) -> int:
    """List them; 1 when one holds a row that nothing here declares, 3 when what is there can't be read to the end."""
    git, at = commit_named(options)
    ledger = read_ledger(git)
    with sign_of_life("reading revisions"):
        examination, _ = judge_alone(git, at)
    every = [examined.facts for examined in examination.environments]
    listed = []
    for known in ledger.databases:
        advanced = {facts.environment.path: progress(facts, known) for facts in every}
        listed.append(Listed(known, {path: found for path, found in advanced.items() if found is not None}))
    if options.format == "json":
        sys.stdout.write(json.dumps(databases_document(listed, at, ledger.trouble), indent=2) + "\n")
    else:
        # A pattern, because a plain name that origin does not have yet would be an error.
        fetch = as_typed(git.directory, "fetch", "origin", f"{DATABASES}*:{DATABASES}*")
        sys.stdout.write(databases_text(listed, at, ledger.trouble, fetch, painter(sys.stdout)))
    if ledger.trouble or examination.verdict == "unreadable":
        return 3
    return 1 if any(each.unknown for each in listed) else 0


MAX_LOG_BYTES = 8 * 1024 * 1024
"""Of a longer log only the end is read: that is where a crash stands."""

_MAX_PASSED_OVER = 1024 * 1024 * 1024
"""Bytes of a stream that may go by before the end that is read."""

_CHUNK = 1024 * 1024

_NAMES_A_REVISION = (CrashKind.CANNOT_LOCATE, CrashKind.MISSING_PARENT)
_NAMES_A_THING = (CrashKind.ALREADY_THERE, CrashKind.NOT_THERE, CrashKind.NEW_ENUM_VALUE)


def run_explain(options: argparse.Namespace) -> int:
    """Explain; 3 when the log holds nothing that can be explained, or the files can't be read."""
    git, at = commit_named(options)
    data, is_whole = _log(options.file)
    reading = read_log(data.decode("utf-8", "replace"))
    nowhere = RevisionLocation()
    with sign_of_life("reading revisions"):
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
            unknown = [id_ for id_ in named if id_ not in facts.target and places.get(id_, nowhere) == nowhere]
            places |= locations_of(others, facts, unknown)
            if needs_traces:
                traces[facts.environment.path] = schema_effects_in(facts, trees)
    known |= {id_ for id_, place in places.items() if place != nowhere}
    log = CrashLog(reading.believed(known), examination, places, traces, is_whole, options.repo)
    sys.stdout.write(again(options, explained_text(log, painter(sys.stdout))))
    return 3 if not log.reading.crashes or examination.verdict == "unreadable" else 0


def _log(file: str) -> tuple[bytes, bool]:
    """The end of a log, and whether that is all of it."""
    try:
        if file == "-":
            if sys.stdin.isatty():
                print("Paste the log, then press Ctrl-D:", file=sys.stderr)
            return _end_of(sys.stdin.buffer)
        with Path(file).open("rb") as stream:
            if stream.seekable():
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - MAX_LOG_BYTES - 1))
            return _end_of(stream)
    except OSError as error:
        raise UsageError(f"The log {file} can't be read: {error.strerror}.") from error


def _end_of(stream: BinaryIO) -> tuple[bytes, bool]:
    kept = bytearray()
    seen = 0
    while chunk := stream.read(_CHUNK):
        seen += len(chunk)
        kept += chunk
        if len(kept) > 2 * MAX_LOG_BYTES:
            del kept[:-MAX_LOG_BYTES]
        if seen > _MAX_PASSED_OVER:
            raise UsageError(
                f"The log is longer than {_MAX_PASSED_OVER // _CHUNK} MiB.", f"Give its end: tail -c {MAX_LOG_BYTES}"
            )
    return bytes(kept[-MAX_LOG_BYTES:]), seen <= MAX_LOG_BYTES
