"""What `onehead check` prints for programs: JSON, SARIF and JUnit."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from onehead.reports.formats import document, junit, sarif

if TYPE_CHECKING:
    from onehead.cli.sides import PreparedWork
    from onehead.plan.verdict import Examination
    from onehead.reports.terminal import Lines
    from onehead.revisions.model import FileChange


def machine_readable(
    work: PreparedWork, examination: Examination, changes: dict[str, tuple[FileChange, ...]], form: str
) -> str:
    """The examination as `json`, `sarif` or `junit`; `changes`: environment path → what its repair does to files."""
    lines = _lines(examination, work)
    if form == "junit":
        return junit(examination, lines, work.found)
    if form == "sarif":
        return json.dumps(sarif(examination, version("onehead"), lines, help_address()), indent=2) + "\n"
    return json.dumps(document(examination, changes, lines), indent=2) + "\n"


def _lines(examination: Examination, work: PreparedWork) -> Lines:
    if not any(examined.findings for examined in examination.environments):
        return {}
    from onehead.examine.locations import lines_of  # noqa: PLC0415 - it loads what reads operations

    return lines_of(examination, work.trees)


_PAGE = "docs/reference/findings.md"
_NOWHERE = "urn:onehead:finding"
"""Where nobody knows an address, a name: it is a valid URI all the same."""


def help_address() -> str:
    """What stands before `#CODE` in the address of a finding's help.

    pip notes where it installed a package from if that was no registry (PEP 610): then the page of exactly that commit.
    """
    try:
        noted = distribution("onehead").read_text("direct_url.json")
    except PackageNotFoundError:
        return _NOWHERE
    return page_of(noted or "")


def page_of(noted: str) -> str:
    """The page of the findings, from what pip has noted of an installation; a name where that shows no web address."""
    try:
        found = json.loads(noted)
        source, commit = found["url"], found["vcs_info"]["commit_id"]
        address = urlsplit(source)
        host, port = address.hostname, address.port
    except (ValueError, KeyError, TypeError, AttributeError):
        return _NOWHERE
    if address.scheme not in ("http", "https") or not host:
        return _NOWHERE
    # Without the name and password that the address may hold.
    place = (
        f"{address.scheme}://{host}{f':{port}' if port else ''}{address.path.removesuffix('/').removesuffix('.git')}"
    )
    if host == "github.com":
        return f"{place}/blob/{commit}/{_PAGE}"
    if host.startswith("gitlab."):
        return f"{place}/-/blob/{commit}/{_PAGE}"
    return f"{place}/src/commit/{commit}/{_PAGE}"
