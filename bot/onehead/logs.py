"""How log lines look. Every line is a sentence with its facts beside it; known secrets never get out."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from io import StringIO
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from onehead.text import shown

# Their lines at INFO repeat, in their own words, what ours say in one sentence.
_CHATTY = ("uvicorn", "httpx", "httpcore", "git", "procrastinate")


def configure(
    form: str, secrets: Iterable[str] = (), *, stream: TextIO | None = None, level: int = logging.INFO
) -> None:
    """Send every log line of this process to `stream` (standard error), ours and the libraries' alike.

    The form is `console` or `json`. Secrets become `***` wherever they would appear, tracebacks included.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_nothing,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Redacting(secrets, foreign_pre_chain=shared, processors=_last(form, stream)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _last(form: str, stream: TextIO) -> list[Processor]:
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if form == "json":
        rename = structlog.processors.EventRenamer("message")
        return [clean, structlog.processors.format_exc_info, rename, structlog.processors.JSONRenderer(default=str)]
    colours = stream.isatty()
    console = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, exception_formatter=_traceback)
    return [clean, _harmless, console]


def _harmless(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    """Nothing that came from elsewhere steers the terminal or begins a line; afterwards the renderer adds colours."""
    return {key: shown(value).replace("\n", "\\n") if isinstance(value, str) else value for key, value in line.items()}


def _traceback(stream: TextIO, raised: ExcInfo) -> None:
    told = StringIO()
    structlog.dev.plain_traceback(told, raised)
    stream.write(shown(told.getvalue()))


def _without_nothing(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    """A field that is not known says nothing; leave it out."""
    return {key: value for key, value in line.items() if value is not None}


class _Redacting(structlog.stdlib.ProcessorFormatter):
    """Looks at the finished line, so that no way into it is forgotten."""

    def __init__(self, secrets: Iterable[str], **rest: Any) -> None:
        super().__init__(**rest)
        # A secret may stand in the line as it is, or as JSON or repr has escaped it; the longest goes first,
        # for one secret may begin with another.
        spellings = {s for secret in secrets if secret for s in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])}
        self._spellings = sorted(spellings, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for spelling in self._spellings:
            line = line.replace(spelling, "***")
        return line
