"""`onehead sweep`: look at every repository in scope once, as the service does on its schedule, and tell."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onehead.errors import OneheadError
from onehead.forge.intents import Write, WriteKind
from onehead.forge.models import RepositoryName
from onehead.logs import configure
from onehead.plan.verdict import Examination
from onehead.reports.terminal import short_ref
from onehead.screen import bare, progress_bar
from onehead.service.context import ServiceContext
from onehead.service.engine import Everything, Job
from onehead.service.handler import handle
from onehead.service.serve import equip
from onehead.service.sweep import in_scope
from onehead.settings import load
from onehead.text import shown

AT_ONCE = 4
"""Repositories that are looked at side by side, as in the service."""

_SHOWN = (
    WriteKind.PUSHED,
    WriteKind.OPENED,
    WriteKind.CLOSED,
    WriteKind.COMMENTED,
    WriteKind.COMMENT_EDITED,
    WriteKind.DELETED,
    WriteKind.STATUS,
)


@dataclass
class SweptRepository:
    """What a sweep found and did in one repository.

    `targets`: deployed branch → its verdict. `branches`: other branch, of a pull request or not → its verdict.
    `writes`: what was written, or would be. `trouble`: why it could not be looked at to the end; empty when it was.
    """

    targets: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    writes: Counter[WriteKind] = field(default_factory=Counter)
    trouble: str = ""


class SweepSummary:
    """The accounts of all repositories, written by several threads."""

    def __init__(self) -> None:
        self.accounts: dict[str, SweptRepository] = defaultdict(SweptRepository)
        self._lock = threading.Lock()

    def judged(self, name: RepositoryName, examination: Examination) -> None:
        """A branch got a verdict; of several of one branch the last one counts."""
        with self._lock:
            account = self.accounts[str(name)]
            if examination.head is None:
                account.targets[short_ref(examination.target.ref)] = examination.verdict
            else:
                account.branches[short_ref(examination.head.ref)] = examination.verdict

    def record(self, write: Write) -> None:
        """Something is written, or would be."""
        with self._lock:
            self.accounts[str(write.repository)].writes[write.kind] += 1

    def broke_off(self, repository: str, trouble: str) -> None:
        """A repository could not be looked at to the end."""
        with self._lock:
            self.accounts[repository].trouble = trouble


def run(options: argparse.Namespace) -> int:
    """Sweep once; 1 when a deployed branch is not at one head, 3 when a repository was not looked at to the end."""
    settings = load(os.environ, Path(options.config) if options.config else None, without={"webhook_secret"})
    secrets = [secret.reveal() for secret in (settings.token, *settings.webhook_secret, *settings.report_secret)]
    configure(settings.log, secrets, stream=bare(sys.stderr), level=logging.WARNING)
    summary = SweepSummary()
    context = equip(settings, judged=summary.judged, record=summary.record, dry_run=options.dry_run)
    names = [str(each.name) for each in in_scope(context.api.repositories(context.me), context.covers)]
    if not names:
        print(
            "No repository is in scope: the token can write to none that the settings name "
            f"(ONEHEAD_REPOSITORIES is {', '.join(settings.repositories)})."
        )
        return 0
    _look_at_all(context, names, summary)
    accounts = {name: summary.accounts[name] for name in names}
    Console(file=bare(sys.stdout)).print(_table(accounts, dry_run=options.dry_run))
    print(_summary(accounts, dry_run=options.dry_run))
    if any(account.trouble for account in accounts.values()):
        return 3
    return 1 if any(map(_is_torn, accounts.values())) else 0


def _look_at_all(context: ServiceContext, names: list[str], summary: SweepSummary) -> None:
    with (
        progress_bar() as progress,
        ThreadPoolExecutor(AT_ONCE, thread_name_prefix="onehead-sweep") as threads,
    ):
        task = progress.add_task("Looking at repositories", total=len(names))
        looks = {threads.submit(handle, Job(name, frozenset({Everything()})), context): name for name in names}
        for look in as_completed(looks):
            error = look.exception()
            if isinstance(error, OneheadError):
                summary.broke_off(looks[look], f"{error.message} {error.hint}".strip())
            elif error is not None:
                raise error
            progress.advance(task)


def _table(accounts: dict[str, SweptRepository], *, dry_run: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("Repository", "Deployed branches", "Other branches", "Would do" if dry_run else "Done"):
        table.add_column(title)
    for name, account in sorted(accounts.items(), key=itemgetter(0)):
        # Names come from the forge: nothing in them is markup.
        table.add_row(*(Text(shown(cell)) for cell in (name, _targets(account), _branches(account), _writes(account))))
    return table


def _targets(account: SweptRepository) -> str:
    if account.trouble:
        return f"not looked at to the end: {account.trouble}"
    told = {"ok": "one head"}
    return ", ".join(f"{name}: {told.get(verdict, verdict)}" for name, verdict in sorted(account.targets.items()))


def _branches(account: SweptRepository) -> str:
    counted = Counter(account.branches.values())
    good = counted.pop("ok", 0)
    return ", ".join([f"{good} fine", *(f"{count} {verdict}" for verdict, count in sorted(counted.items()))])


def _writes(account: SweptRepository) -> str:
    return ", ".join(f"{kind}: {account.writes[kind]}" for kind in _SHOWN if account.writes[kind]) or "nothing"


def _summary(accounts: dict[str, SweptRepository], *, dry_run: bool) -> str:
    writes = sum(sum(account.writes.values()) for account in accounts.values())
    forked = [name for name, account in accounts.items() if _is_torn(account)]
    broken = [name for name, account in accounts.items() if account.trouble]
    looked, wrote = _count(len(accounts), "repository", "repositories"), _count(writes, "write", "writes")
    made = f"{wrote} would be made, none was." if dry_run else f"made {wrote}."
    lines = [f"Looked at {looked}; {made}"]
    if forked:
        lines.append(f"A deployed branch is not at one head in {', '.join(forked)}: merge the repair offered there.")
    if broken:
        lines.append(f"Not looked at to the end: {', '.join(broken)}. Run it again; the table has the reason.")
    return "\n".join(lines)


def _is_torn(account: SweptRepository) -> bool:
    return any(verdict != "ok" for verdict in account.targets.values())


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
