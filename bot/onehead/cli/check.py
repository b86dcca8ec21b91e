"""`onehead check`: would this branch break the next deploy?"""

from __future__ import annotations

import argparse
import sys
from shlex import join
from typing import TYPE_CHECKING

from onehead.cli.sides import PreparedWork, examined
from onehead.cli.terminal import again, painter
from onehead.reports.terminal import is_repairable, named_again, report

if TYPE_CHECKING:
    from onehead.plan.verdict import Examination


def run(options: argparse.Namespace) -> int:
    """Judge, print in the format asked for, and say by the exit code what came out."""
    with examined(options) as work:
        repairs = work.repairs()
        examination = repairs.examination if repairs else work.examination
        if options.format == "text":
            sys.stdout.write(_text(work, examination, options))
        else:
            from onehead.cli.check_formats import machine_readable  # noqa: PLC0415 - `check` runs in every commit

            sys.stdout.write(machine_readable(work, examination, repairs.changes if repairs else {}, options.format))
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
