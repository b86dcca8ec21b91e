"""Makes the pages from what is kept, in bounded time: of thousands of repositories, it reads what fifty show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs

import structlog

from onehead.errors import OneheadError
from onehead.reports.page import (
    Forge,
    GraphQuestion,
    ListQuestion,
    list_page,
    list_part,
    message_page,
    repository_page,
)
from onehead.reports.page_graph import MAX_OPENED_RUNS
from onehead.service.page_store import PageStore

_MAX_TEXT = 200  # characters that are looked for
_MAX_FIELDS = 100

log = structlog.get_logger(__name__)


class PageView:
    """Answers for the page: a status, and HTML."""

    def __init__(
        self, store: PageStore, forgejo_url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._forge = Forge(forgejo_url)
        self._now = now

    def __call__(self, path: str, query: str) -> tuple[int, str]:
        """The page of a repository (`owner/name`), or the list for an empty path; it never raises."""
        try:
            asked = parse_qs(query, max_num_fields=_MAX_FIELDS)
        except ValueError:
            asked = {}
        try:
            return self._repository(path, asked) if path else self._list(asked)
        except OneheadError as error:
            return 503, message_page(f"{error.message} Reload this page in a moment.")
        except Exception as error:
            log.exception("A page could not be made.", exc_info=error)
            return 500, message_page("A defect in onehead kept this page from being made. Its log says more.")

    def _list(self, asked: Mapping[str, list[str]]) -> tuple[int, str]:
        page = _first(asked, "page")
        question = ListQuestion(
            text=_first(asked, "q").strip()[:_MAX_TEXT],
            condition=_first(asked, "is"),
            page=int(page) if page.isascii() and page.isdecimal() and len(page) < 9 else 1,
        )
        part = list_part(self._store.conditions(), question)
        return 200, list_page(part, self._store.shown(part.names), self._forge, self._now())

    def _repository(self, name: str, asked: Mapping[str, list[str]]) -> tuple[int, str]:
        shown = self._store.shown([name]).get(name)
        if shown is None:
            return 404, message_page("onehead has not looked at a repository of this name, or may not write to it.")
        question = GraphQuestion(_first(asked, "branch"), tuple(asked.get("open", ())[:MAX_OPENED_RUNS]))
        return 200, repository_page(name, shown, self._store.graph(name), self._forge, self._now(), question)


def _first(asked: Mapping[str, list[str]], name: str) -> str:
    return asked.get(name, [""])[0]
