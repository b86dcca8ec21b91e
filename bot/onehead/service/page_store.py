"""Keeps what the page shows, beside what else the service remembers: in its memory, or in PostgreSQL.

The process that looks at repositories writes it, the one that shows the page reads it.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from onehead.errors import OneheadError
from onehead.examine.ledger import ledger_at
from onehead.reports.page_model import (
    CONDITIONS,
    MAX_SENTENCE,
    Condition,
    RepositoryGraph,
    ShownRepository,
    plain_line,
)
from onehead.service.desired import Desired, KnownState, Offer
from onehead.service.judge import Analyst
from onehead.service.memory import Remembered, Shelf
from onehead.service.page_notes import noted
from onehead.service.page_state import graph_after, shown_after
from onehead.service.troubles import cause
from onehead.service.wire import BadWire, Wire

FORM = 1
"""Raised with each change of `page_model`: what was kept can't be read then, and everything is looked at once."""

_MAX_GRAPH = 8 * 1024 * 1024  # bytes of a graph before it is packed

log = structlog.get_logger(__name__)


class PageStore:
    """What the page shows, by the name of the repository."""

    def __init__(self, shelf: Shelf) -> None:
        # How each repository is, apart: of thousands, one page of the list shows fifty.
        self._conditions: Remembered[str] = Remembered(shelf, f"page {FORM}: conditions", str)
        self._shown: Remembered[ShownRepository] = Remembered(shelf, f"page {FORM}: repositories", ShownRepository)
        self._graphs: Remembered[str] = Remembered(shelf, f"page {FORM}: graphs", str)
        self._began: Remembered[datetime] = Remembered(shelf, f"page {FORM}: began", datetime)

    def began(self, now: datetime) -> datetime:
        """When there was a page first; now, where nobody has asked before."""
        found = self._began.get("at")
        if found is None:
            self._began.put({"at": now})
        return found or now

    def conditions(self) -> dict[str, Condition]:
        """How every repository is."""
        found = self._conditions.all()
        return {name: each for name, each in found.items() if each in CONDITIONS}

    def shown(self, names: Collection[str]) -> dict[str, ShownRepository]:
        """What is shown of some repositories, as far as they are known."""
        return self._shown.some(names)

    def graph(self, name: str) -> RepositoryGraph:
        """What is drawn of a repository; nothing where nothing is known."""
        packed = self._graphs.get(name)
        return RepositoryGraph() if packed is None else _unpacked(packed)

    def learn(self, known: KnownState, wanted: Desired, offers: Mapping[str, Offer], analysis: Analyst) -> None:
        """Keep what a look has found out, and what became of the repairs that it wanted."""
        snapshot = known.snapshot
        name = str(snapshot.repository.name)
        with _apart(name):
            repairs = {
                repair.subject: offer.pull.number
                for key, repair in wanted.repairs.items()
                if (offer := offers.get(key)) is not None and offer.pull is not None
            }
            databases = ledger_at(snapshot.git, snapshot.reported).databases if known.targets else None
            shown = shown_after(self._shown.get(name), known, repairs, databases, datetime.now(UTC))
            self.put(name, shown)
            before = self.graph(name)
            graph = graph_after(before, known, noted(known, before, analysis))
            if graph != before:
                self.put_graph(name, graph)

    def fail(self, name: str, error: Exception) -> None:
        """Say why the last look at a repository could not be finished."""
        with _apart(name):
            now = datetime.now(UTC)
            why = error.message if isinstance(error, OneheadError) else cause(error)
            before = self._shown.get(name) or ShownRepository(now)
            self.put(name, replace(before, at=now, trouble=plain_line(why, MAX_SENTENCE)))

    def forget(self, *names: str) -> None:
        """Show some repositories no longer."""
        if names:
            with _apart(", ".join(names[:3])):
                for kept in (self._conditions, self._shown, self._graphs):
                    kept.forget(*names)

    def put(self, name: str, shown: ShownRepository) -> None:
        """Show this of a repository from now on."""
        self._shown.put({name: shown})
        self._conditions.put({name: shown.condition})

    def put_graph(self, name: str, graph: RepositoryGraph) -> None:
        """Draw this of a repository from now on."""
        self._graphs.put({name: _packed(graph)})


@contextmanager
def _apart(name: str) -> Iterator[None]:
    """What goes wrong with the page is logged, and ends no job."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, OneheadError)
        fields = {"repository": name, "error": error.message if isinstance(error, OneheadError) else str(error)}
        said = "What the page shows of a repository could not be brought up to date."
        log.warning(said, **fields, exc_info=None if known else error)


def _packed(graph: RepositoryGraph) -> str:
    text = json.dumps(Wire().write(graph, RepositoryGraph), separators=(",", ":"))
    return b64encode(zlib.compress(text.encode())).decode()


def _unpacked(packed: str) -> RepositoryGraph:
    """The graph; an empty one where another version has written it."""
    with suppress(BadWire, ValueError, zlib.error):
        text = zlib.decompressobj().decompress(b64decode(packed), _MAX_GRAPH)
        graph: RepositoryGraph = Wire().read(json.loads(text), RepositoryGraph)
        return graph
    return RepositoryGraph()
