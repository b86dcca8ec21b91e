"""`onehead report-rows`: a deploy job tells the service what its database holds."""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from onehead.cli.pipeline import deployed_to, repository_of
from onehead.cli.verbs import address_given
from onehead.databases.reported import PATH, SIGNATURE, RowsReport, key_of, report_of, signature, written
from onehead.errors import CannotJudge, OneheadError, UsageError
from onehead.gitrepo.git import Git
from onehead.settings import secret_told, told

_SECONDS_TO_ANSWER = 15
_PAUSES = (1.0, 4.0)
"""Seconds before the service is asked again: it may be starting."""


def run(options: argparse.Namespace) -> int:
    """Report, forget, or print a key; 0 when it is done, everything else is an error."""
    repository = options.repository or repository_of(os.environ) or _of_origin()
    if not repository:
        raise UsageError("The repository of the database is not known.", "Name it: `--repository OWNER/NAME`.")
    if options.show_key:
        print(key_of(_secret("to derive a key from it"), repository))
        return 0
    rows, place = _rows(options)
    database = options.database or deployed_to(os.environ) or place
    if not database:
        raise UsageError("The database has no name.", "Say what people call it: `--database production`.")
    report = report_of(repository, database, options.environment or "", rows, datetime.now(UTC))
    _send(options.service or told("SERVICE_URL"), report, _key(report))
    if rows is None:
        print(f"Asked to forget {database} of {repository}.")
    else:
        held = ", ".join(rows) or "no rows, as a fresh database does"
        print(f"Reported: {database} of {repository} holds {held}.")
    return 0


def _rows(options: argparse.Namespace) -> tuple[tuple[str, ...] | None, str]:
    """What is to be told, and where that was read, without any credentials; `None`: forget."""
    if options.forget:
        return None, ""
    if options.rows is not None:
        return tuple(sorted(set(options.rows))), ""
    if options.database_url is None and options.database_url_file is None:
        raise UsageError("There is nothing to report.", "Give `--database-url URL`, or `--rows 018`.")
    # Only here: whoever names rows need not have SQLAlchemy's drivers.
    from onehead.databases.inspect import Address, look  # noqa: PLC0415

    address = Address(address_given(options))
    table = options.version_table or "alembic_version"
    inspection = look(address, (), table, options.version_schema)
    if inspection.version is None and inspection.others:
        raise UsageError(
            f"The database {address} has no table {table}, but {', '.join(map(str, inspection.others))}.",
            "Name the one that env.py uses: `--version-table NAME --version-schema NAME`.",
        )
    return inspection.version.rows if inspection.version else (), address.place


def _key(report: RowsReport) -> str:
    """What signs the report: a deploy job has a key that can report; forgetting takes the secret itself."""
    if report.rows is None:
        return key_of(_secret("to have a database forgotten"), report.repository, "forget")
    key = told("REPORT_KEY")
    if key:
        return key
    if not secret_told("REPORT_SECRET"):
        raise UsageError(
            "The report can't be signed, because ONEHEAD_REPORT_KEY is not set.",
            "Where the secret of the service is, `onehead report-rows --show-key --repository OWNER/NAME` prints it; "
            "give it to the job as a secret.",
        )
    return key_of(_secret("to sign"), report.repository)


def _secret(purpose: str) -> str:
    """The first secret: the one that takes the place of the others."""
    found = re.split(r"[,\n]", secret_told("REPORT_SECRET"))[0].strip()
    if not found:
        raise UsageError(
            f"ONEHEAD_REPORT_SECRET is not set here, and it is needed {purpose}.",
            "Run this where the settings of the service are; no deploy job needs that secret.",
        )
    return found


def _of_origin() -> str:
    """The repository that the checkout here was cloned from; empty for none."""
    try:
        answer = Git(Path.cwd()).ask("remote", "get-url", "origin")
    except OneheadError:
        return ""  # an image for deploys need not have git
    url = answer.out.decode("utf-8", "replace").strip() if answer.code == 0 else ""
    found = re.search(r"[/:]([^/:\s]+/[^/\s]+?)(?:\.git)?/*$", url)
    return found[1] if found else ""


def _send(service: str, report: RowsReport, key: str) -> None:
    parts = urlsplit(service)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise UsageError(
            "The address of the service is missing, or is no web address.",
            "Give `--service https://onehead.example.org`, or set ONEHEAD_SERVICE_URL.",
        )
    body = written(report)
    headers = {"Content-Type": "application/json", SIGNATURE: signature(key, body)}
    trouble = ""
    for pause in (*_PAUSES, None):
        try:
            status, text = exchange(service, PATH, _SECONDS_TO_ANSWER, body, headers)
        except (OSError, HTTPException) as error:
            trouble = f"it does not answer ({error})"
        else:
            if status == 202:
                return
            if status < 500 and status not in {408, 429}:
                said = fields_in(text).get("message")
                reason = said if said and isinstance(said, str) else f"HTTP {status}"
                raise UsageError(f"The service did not take the report: {reason}")
            trouble = f"it answers HTTP {status}"
        if pause is not None:
            time.sleep(pause)
    raise CannotJudge(
        f"The service at {service} did not take the report: {trouble}.",
        "Report again later; until then, onehead does not know of it.",
    )


def exchange(
    service: str, path: str, seconds: float, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """One request to the service, a POST where there is a body: the status and text of the answer.

    Raises:
        OSError: nobody answers in time.
        HTTPException: what answers is no web server.
    """
    parts = urlsplit(service)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    line = kind(parts.netloc, timeout=seconds)
    try:
        line.request("GET" if body is None else "POST", parts.path.rstrip("/") + path, body, headers or {})
        answer = line.getresponse()
        return answer.status, answer.read(1_000_000).decode("utf-8", "replace")
    finally:
        line.close()


def fields_in(text: str) -> dict[str, object]:
    """The fields of a JSON object; none where the text is no such object."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
