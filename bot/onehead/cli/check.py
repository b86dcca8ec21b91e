"""`onehead check`: would this branch break the next deploy?"""

from __future__ import annotations

import argparse
import os
import sys
from shlex import join
from typing import TYPE_CHECKING

from onehead.cli.sides import PreparedWork, again, examined
from onehead.reports.terminal import is_repairable, named_again, report
from onehead.screen import painter
from onehead.text import unheard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onehead.plan.verdict import Examination
    from onehead.revisions.model import FileChange

_PAGE = "docs/reference/findings.md"
_NOWHERE = "urn:onehead:finding"
"""Where nobody knows an address, a name: it is a valid URI all the same."""


def run(options: argparse.Namespace) -> int:
    """Judge, print in the format asked for, and say by the exit code what came out."""
    with examined(options) as work:
        repairs = work.repairs()
        examination = repairs.examination if repairs else work.examination
        if options.format == "text":
            text = _text(work, examination, options)
            sys.stdout.write(unheard(text) if os.environ.get("GITHUB_ACTIONS") == "true" else text)
        else:
            sys.stdout.write(_for_programs(work, examination, repairs.changes if repairs else {}, options.format))
        if options.publish:
            from onehead.cli.publish import tell_pull  # noqa: PLC0415 - it loads what talks to forges

            tell_pull(work, examination)
        if options.upload_sarif:
            from onehead.cli.publish import upload  # noqa: PLC0415

            upload(work, examination, _for_programs(work, examination, {}, "sarif"))
    return examination.exit_code


def _text(work: PreparedWork, examination: Examination, options: argparse.Namespace) -> str:
    command = _fix(work, examination, options) if is_repairable(examination) else ""
    text = report(examination, command=command, found=work.found, paint=painter(sys.stdout))
    # The command stands below: a sentence only names the program then.
    return text if examination.verdict == "ok" else again(options, text, with_bare=not command)


def _fix(work: PreparedWork, examination: Examination, options: argparse.Namespace) -> str:
    """The command that writes the repair, as it is typed where this one was."""
    head = () if examination.head is None else ("--head", work.named(examination.head))
    # What was asked of origin has to be asked again.
    fetch = () if options.fetch == "auto" else ("--fetch", options.fetch)
    return f"onehead fix{named_again(options.repo)} {join(('--target', work.named(examination.target), *head, *fetch))}"


def _for_programs(
    work: PreparedWork, examination: Examination, changes: dict[str, tuple[FileChange, ...]], form: str
) -> str:
    """As `json`, `sarif` or `junit`; `changes`: environment path → what its repair does to files."""
    # What people do not ask for is not loaded: `check` runs in every commit.
    from json import dumps  # noqa: PLC0415

    from onehead.reports.formats import document, junit, sarif  # noqa: PLC0415

    lines = {}
    if any(examined.findings for examined in examination.environments):
        from onehead.examine.locations import lines_of  # noqa: PLC0415 - it loads what reads operations

        lines = lines_of(examination, work.trees)
    if form == "junit":
        return junit(examination, lines, work.found)
    if form == "sarif":
        from importlib.metadata import version  # noqa: PLC0415

        return dumps(sarif(examination, version("onehead"), lines, help_address()), indent=2) + "\n"
    return dumps(document(examination, changes, lines), indent=2) + "\n"


def help_address() -> str:
    """What stands before `#CODE` in the address of a finding's help.

    pip notes where it installed a package from if that was no registry (PEP 610): then the page of exactly that commit.
    A published wheel names its documentation itself.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415

    try:
        installed = distribution("onehead")
    except PackageNotFoundError:
        return _NOWHERE
    page = page_of(installed.read_text("direct_url.json") or "")
    return page if page != _NOWHERE else published_page(installed.metadata.get_all("Project-URL", ()))


def published_page(urls: Iterable[str]) -> str:
    """The page of the findings, from what the metadata says about the project (`Documentation, https://…`)."""
    found = dict(each.partition(", ")[::2] for each in urls).get("Documentation", "")
    return found.removesuffix("docs/index.md") + _PAGE if found.endswith("/docs/index.md") else _NOWHERE


def page_of(noted: str) -> str:
    """The page of the findings, from what pip has noted of an installation; a name where that shows no web address."""
    from json import loads  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    try:
        found = loads(noted)
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
