"""What ails a database, in sentences: what is so, what it means, and what to do or to find out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from onehead.databases.model import Ailment, Complaint, Diagnosis
from onehead.databases.states import Row, Whereabouts
from onehead.reports.paint import visible
from onehead.reports.text import named_again
from onehead.wording import listed, shortened


class Told(NamedTuple):
    """One complaint as people read it.

    Attributes:
        message: what is so, and what it means.
        next: what to do, or what to find out before anything is done.
        question: what only a person can answer; empty for nothing.
    """

    message: str
    next: str
    question: str = ""


def told(
    complaint: Complaint, diagnosis: Diagnosis, places: Mapping[str, Whereabouts], target: str, repo: str = "."
) -> Told:
    """Say one complaint.

    Args:
        complaint: which.
        diagnosis: the database.
        places: revisions that the files don't declare → where they stand otherwise.
        target: name of the judged branch or commit.
        repo: the repository as it was named, for commands that are typed there.
    """
    names = ids_in(complaint.names)
    match complaint.ailment:
        case Ailment.BROKEN_CHAIN:
            return Told(
                f"The migrations themselves don't hang together ({names}), so Alembic stops whatever a database holds.",
                f"`onehead check{named_again(repo)} --target {target}` says what is wrong. Correct that first; the "
                "database can wait.",
            )
        case Ailment.MULTIPLE_HEADS:
            return Told(
                f"The chain has the heads {names}, so `alembic upgrade head` stops before it runs anything, whatever "
                "the database holds.",
                f"`onehead fix{named_again(repo)} --target {target}` writes the merge; until it is in, `alembic "
                "upgrade heads` works.",
            )
        case Ailment.UNKNOWN_ROW:
            return _unknown(complaint.names, diagnosis, places, target)
        case Ailment.RENAMED_ROW:
            return _renamed(diagnosis, target)
        case Ailment.AMBIGUOUS_ROW | Ailment.PREFIX_ROW | Ailment.REPEATED_ROW | Ailment.OVERLAPPING_ROWS:
            return _about_rows(complaint.ailment, names, diagnosis)
        case Ailment.INVALID_INDEX:
            return _invalid(names, waits=bool(diagnosis.unbuilt))
        case _:
            return _about_the_schema(complaint.ailment, names, diagnosis)


def _invalid(names: str, *, waits: bool) -> Told:
    stops = " A revision that has still to run makes it, and stops because the name is taken."
    return Told(
        f"PostgreSQL holds {names} as invalid (`pg_index.indisvalid`): building it with CONCURRENTLY failed or is "
        f"under way, and no query uses it.{stops if waits else ''}",
        "Remove what made it fail (equal values under a unique index, a lock), then "
        f"{'drop it and upgrade' if waits else '`REINDEX INDEX CONCURRENTLY` builds it again'}.",
    )


def _unknown(rows: tuple[str, ...], diagnosis: Diagnosis, places: Mapping[str, Whereabouts], target: str) -> Told:
    parts = []
    found = True
    for row in rows:
        place = places.get(row, Whereabouts())
        variant = next((id_ for id_ in diagnosis.graph.revisions if _alike(id_, row)), "")
        if variant:
            parts.append(f"{visible(row)!r} differs from the revision {visible(variant)} only in spaces or capitals.")
        elif place.refs:
            parts.append(f"{visible(row)} is on {ids_in(place.refs)}: that was run on this database.")
        elif place.renamed:
            parts.append(f"{visible(place.removed)} gave {visible(row)} the new id {visible(place.renamed)}.")
        elif place.removed:
            parts.append(f"{visible(place.removed)} removed the file of {visible(row)}, after a database had run it.")
        else:
            found = False
            parts.append(
                f"No branch, tag or earlier commit here has {visible(row)}: it was never pushed, or another project "
                "keeps its rows in the same table."
            )
    rest = "" if found else f"Which deploy, or whose machine, has brought {ids_in(rows)} into this database?"
    return Told(
        f'No file of {target} declares {ids_in(rows)}, so Alembic stops with "Can\'t locate revision identified by". '
        + " ".join(parts),
        "Deploy a commit that has it, or bring its file back under the same id. Do not stamp: that hides what ran.",
        rest,
    )


def _renamed(diagnosis: Diagnosis, target: str) -> Told:
    rows = _of_kind(diagnosis.rows or (), "renamed")
    now = listed([f"{visible(row.text)} is {visible(row.means[0])} now" for row in rows])
    old = ids_in(row.text for row in rows)
    return Told(
        f"{now}: {target} has the same operations under another id, which a repair or somebody gave it after this "
        f'database had run it as {old}. Alembic stops with "Can\'t locate revision identified by".',
        "Record the new id, as below. What ran under the old id does not run again; what it did not follow runs then.",
    )


def _alike(id_: str, row: str) -> bool:
    return id_.casefold() == row.strip().casefold()


def _about_rows(ailment: Ailment, names: str, diagnosis: Diagnosis) -> Told:
    rows = diagnosis.rows or ()
    match ailment:
        case Ailment.AMBIGUOUS_ROW:
            means = ids_in(id_ for row in rows if row.kind == "ambiguous" for id_ in row.means)
            return Told(
                f"No revision is called {names}, and several begin so: {means}. Alembic can't tell which is meant and "
                'stops with "Can\'t locate revision identified by".',
                "Bring the file back under its old id, or stamp the one that it has become, once that is known.",
                f"Which of {means} is what was {names}?",
            )
        case Ailment.PREFIX_ROW:
            return Told(
                f"{ids_in(map(_prefix, _of_kind(rows, 'prefix')))}: its id was made longer after this database had run "
                "it. Alembic takes the beginning for the whole once; the upgrade then adds a row instead of replacing "
                'it, and the one after that stops with "overlaps with other requested revisions".',
                "Write the whole id into the database, or give the file its old id again.",
            )
        case Ailment.REPEATED_ROW:
            return Told(
                f"The row {names} is there more than once, so the version table has lost its primary key. The next "
                'upgrade stops with "expected to match one row".',
                "Write each row once, and give the table its primary key back.",
            )
        case _:
            return Told(
                f"The rows {names} exclude each other: one of them already includes another. Alembic stops "
                'with "overlaps with other requested revisions".',
                "Keep the one that is true; plain `alembic stamp` does nothing here, only `stamp --purge` does.",
            )


def _about_the_schema(ailment: Ailment, names: str, diagnosis: Diagnosis) -> Told:
    sight = diagnosis.sight
    is_one = len(diagnosis.of(ailment)) == 1
    match ailment:
        case Ailment.NO_ROWS:
            return Told(
                "Tables of this chain are there, but no row says which migrations ran: something else made them "
                "(`create_all`, a dump), or the version table was emptied. `alembic upgrade` starts from the beginning "
                "and stops at the first table that is there already.",
                "Record what is really there, as below. Where `create_all` made the tables, no migration of data ran.",
                "Where do these tables come from?",
            )
        case Ailment.OTHER_VERSION_TABLE:
            judged = sight.version if sight and sight.version else "alembic_version (which does not exist)"
            return Told(
                f"There is more than one version table: {judged}, by which this is judged, and {names}.",
                "`--version-table` and `--version-schema` name the one that env.py reads; the others mislead people.",
                ""
                if all(c.severity == "warning" for c in diagnosis.complaints if c.ailment == ailment)
                else "Which of them does env.py read? That can't be seen without running it.",
            )
        case Ailment.HALF_APPLIED:
            return Told(
                f"{names} stopped half-way: a part of it is there and a part is not. The next upgrade runs it from its "
                "beginning and stops at what is there.",
                "Undo the part that is there, or finish it by hand and record it.",
            )
        case Ailment.INCOMPLETE:
            return Told(
                f"{names} is recorded, but a part of what it made is missing: somebody has changed the schema by hand.",
                "`alembic upgrade PARENT:REVISION --sql` prints the statements, if it is to be made again.",
                "Was that part removed on purpose?",
            )
        case Ailment.LEFTOVER_TABLE:
            return Told(
                f"{names} is left from a batch migration that was cut off. The next one that touches that table stops "
                "because the copy is there already.",
                "See that the table which it was copied from is whole, then drop the copy.",
            )
        case Ailment.AHEAD:
            kept = (
                "PostgreSQL then takes the whole upgrade back, so every attempt ends the same."
                if sight and sight.rolls_back
                else "What ran before it in the same upgrade stays, recorded."
            )
            return Told(
                f"What {names} {'makes' if is_one else 'make'} is there already, but not recorded. The upgrade stops "
                f"at the first statement that can't be done twice. {kept}",
                "Record what is there, as below; then the upgrade goes on behind it.",
            )
        case Ailment.LOST:
            return Told(
                f"The rows say that {names} ran, but nothing that it makes is there. Either it was put beneath what "
                "had run already (its parent was changed, or it was inserted), so that it never ran and never will; or "
                "somebody has removed it all by hand.",
                "Run it now, as below, only if nothing that ran since needs it to be absent: look at both sides first.",
                "Was it removed on purpose?",
            )
        case _:
            width = sight.version.width if sight and sight.version else None
            return Told(
                f"The id {names} is longer than the {width} characters of the version table, so the upgrade stops when "
                "it records it.",
                "Shorten the id where no database has it yet, or widen the column version_num.",
            )


def _prefix(row: Row) -> str:
    return f"the row {visible(row.text)} is only the beginning of {visible(row.means[0])}"


def _of_kind(rows: Iterable[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.kind == kind]


def ids_in(names: Iterable[str]) -> str:
    """Names in a sentence; many are cut short with their number."""
    return listed([visible(shortened(name)) for name in names])
