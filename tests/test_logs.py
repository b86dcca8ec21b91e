from __future__ import annotations

import io
import json
import logging
import re

import pytest
import structlog

from onehead import logs

pytestmark = pytest.mark.usefixtures("logging_as_before")


def logged(form: str, *secrets: str) -> io.StringIO:
    stream = io.StringIO()
    logs.configure(form, secrets, stream=stream)
    return stream


def test_json_is_one_object_a_line() -> None:
    stream = logged("json")

    structlog.get_logger("x").info("A job is done.", repository="acme/shop", seconds=0.5, hint=None)

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "message": "A job is done.", "repository": "acme/shop", "seconds": 0.5}


def test_console_is_a_sentence_and_its_facts() -> None:
    stream = logged("console")

    structlog.get_logger("x").warning("Forgejo is away.", retry_in=2)

    _time, rest = stream.getvalue().split("Z ", 1)
    assert rest == "[warning  ] Forgejo is away. retry_in=2\n"


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_of_libraries_look_the_same_and_their_chatter_is_off(form: str) -> None:
    stream = logged(form)

    logging.getLogger("uvicorn.error").info("Started server process")
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("procrastinate.worker").info("Starting job look[1]()")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    logging.getLogger("some.library").info("seen")

    lines = stream.getvalue().splitlines()
    assert ["Exception in ASGI application" in lines[0], "seen" in lines[1], len(lines)] == [True, True, 2]


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_never_get_out(form: str) -> None:
    secret = 'p"w\\é'
    stream = logged(form, secret, "abc", "abcdef", "")

    log = structlog.get_logger("x")
    try:
        raise ValueError(f"refused: {secret} abcdef")
    except ValueError as error:
        log.error("Refused.", token=secret, nested={"header": [secret]}, exc_info=error)
    logging.getLogger("library").warning("with %s", secret)

    text = stream.getvalue()
    for spelling in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], "abc", "def"):
        assert spelling not in text
    assert "ValueError: refused: *** ***" in text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_in_a_line_steers_the_terminal_or_begins_another_line(form: str, kind: type[io.StringIO]) -> None:
    stream = kind()
    logs.configure(form, (), stream=stream)
    evil = "\x1b[2J\x07\x9b2J\u202e\n2026-01-01 [info] All is well."

    structlog.get_logger("x").warning(evil, ref=evil)
    logging.getLogger("some.library").warning("%s", evil)
    try:
        raise RuntimeError(evil)
    except RuntimeError:
        structlog.get_logger("x").exception("A job failed.", error=evil)

    printed = stream.getvalue()
    colours = re.compile(r"\033\[\d+m")
    assert bool(colours.search(printed)) is (form == "console" and kind is Terminal)
    plain = colours.sub("", printed)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", plain)
    begun = [line for line in plain.splitlines() if line.startswith("2026-01-01")]
    # A traceback has the lines of what was raised; it stands below its own line.
    assert len(begun) == (1 if form == "console" else 0)
