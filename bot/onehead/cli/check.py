"""`onehead check`: would this branch break the next deploy?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from onehead.cli.sides import PreparedWork, examined
from onehead.cli.terminal import painter
from onehead.reports.terminal import is_repairable, named_again, report

if TYPE_CHECKING:
    from onehead.plan.findings import Code
    from onehead.plan.verdict import Examination
    from onehead.revisions.model import FileChange


def run(options: argparse.Namespace) -> int:
    """Judge, print in the format asked for, and say by the exit code what came out."""
    work = examined(options)
    repairs = work.repairs()
    examination = repairs.examination if repairs else work.examination
    if options.format == "text":
        command = _fix(work, examination, options) if is_repairable(examination) else ""
        text = report(examination, command=command, found=work.found, paint=painter(sys.stdout))
        if examination.verdict != "ok":
            from onehead.cli.terminal import again  # noqa: PLC0415 - only where something is wrong

            # The command stands below: a sentence only names the program then.
            text = again(options, text, with_bare=not command)
        sys.stdout.write(text)
    else:
        work = work._replace(examination=examination)
        sys.stdout.write(_machine_readable(work, repairs.changes if repairs else {}, options.format))
    return examination.exit_code


def _fix(work: PreparedWork, examination: Examination, options: argparse.Namespace) -> str:
    """The command that writes the repair, as it is typed where this one was."""
    from shlex import join  # noqa: PLC0415 - only where something is wrong

    head = () if examination.head is None else ("--head", work.named(examination.head))
    # What was asked of origin has to be asked again.
    fetch = () if options.fetch == "auto" else ("--fetch", options.fetch)
    return f"onehead fix{named_again(options.repo)} {join(('--target', work.named(examination.target), *head, *fetch))}"


def _machine_readable(work: PreparedWork, changes: dict[str, tuple[FileChange, ...]], form: str) -> str:
    """Each format is loaded only when it is asked for: `check` runs in every commit."""
    if form == "junit":
        from onehead.reports.formats import junit  # noqa: PLC0415

        return junit(work.examination, _lines(work), work.found)
    import json  # noqa: PLC0415

    if form == "sarif":
        from importlib.metadata import version  # noqa: PLC0415

        from onehead.cli.verbs import help_address  # noqa: PLC0415
        from onehead.reports.formats import sarif  # noqa: PLC0415

        log = sarif(work.examination, version("onehead"), _lines(work), help_address())
        return json.dumps(log, indent=2) + "\n"
    from onehead.reports.formats import document  # noqa: PLC0415

    return json.dumps(document(work.examination, changes, _lines(work)), indent=2) + "\n"


def _lines(work: PreparedWork) -> dict[tuple[Code, str], int]:
    if not any(examined.findings for examined in work.examination.environments):
        return {}
    from onehead.examine.locations import lines_of  # noqa: PLC0415

    return lines_of(work.examination, work.trees)
