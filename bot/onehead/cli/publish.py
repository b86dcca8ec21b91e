"""`onehead check --publish`: tell of the verdict where the pull request is, with the token of the CI job.

Whatever becomes of it, the exit code stays that of the verdict; what could not be written is said on standard error.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

from onehead.cli.pipeline import ForgeOfJob, Pipeline, forge_of
from onehead.errors import OneheadError, UsageError
from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from onehead.forge.errors import (
    BOT_SCOPES,
    Blocked,
    Forbidden,
    ForgeError,
    Locked,
    MissingScope,
    NotFound,
    NotUnderstood,
    Unauthorised,
    Unavailable,
)
from onehead.forge.github import GitHubApi, connect
from onehead.forge.models import RepositoryName
from onehead.logs import configure
from onehead.screen import bare
from onehead.service.judge import Analysis
from onehead.service.publish import PullOfJob, publish
from onehead.settings import secret_told, told

if TYPE_CHECKING:
    from onehead.cli.sides import PreparedWork
    from onehead.plan.verdict import Examination

_ANOTHER_ACCOUNT = (
    "Give the job the token of an account that may write to the repository: as the input `token` of the action, or as "
    "ONEHEAD_TOKEN."
)
_FORK_ON_FORGEJO = (
    "The pull request comes from a fork, and for these Forgejo gives jobs a token that may only read and comment. Let "
    "the workflow run on `pull_request_target`, and give it the token of an account that may write to the repository, "
    "as a secret."
)
_FORK_ON_GITHUB = (
    "The pull request comes from a fork, and for these GitHub gives jobs a token that may only read. Let the workflow "
    "run on `pull_request_target`, with `permissions:` of `pull-requests: write` and `statuses: write`."
)
_PERMISSIONS = "Give the job `permissions:` of `contents: read`, `pull-requests: write` and `statuses: write`."
_ADDRESS = (
    "The address is the one that the job's variables name: `FORGEJO_API_URL`, `GITHUB_API_URL` or `CI_FORGE_URL`. Look "
    "at what answers there."
)
_AGAIN = "Run the job again once the forge answers."


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Says what is raised, around a function too, and goes on: the verdict is there already."""
    sys.stdout.flush()
    try:
        yield
    except OneheadError as trouble:
        _say(f"{what}: {trouble.message}", trouble.hint)
    except Exception as defect:
        _say(f"{what}: {_defect(defect)}")


def _defect(error: Exception) -> str:
    """What to say of what nobody foresaw; where it happened, but no text of its own: that may hold anything."""
    place = extract_tb(error.__traceback__)[-1:]
    where = f", {place[0].name} in {Path(place[0].filename).name}" if place else ""
    what = f"{type(error).__name__}{where}"
    return f"Something is wrong inside onehead ({what}). Report this. It changes nothing in the verdict."


def _say(sentence: str, hint: str = "") -> None:
    print(f"onehead: {sentence}", file=sys.stderr)
    if hint:
        print(f"  → {hint}", file=sys.stderr)


def _forge(job: Pipeline | None, place: str) -> ForgeOfJob:
    """The forge of the job; `place` says where the option works, to whoever is elsewhere."""
    found = None if job is None else forge_of(os.environ)
    if found is not None:
        return found
    if job is None:
        raise UsageError(
            "What was judged is not what a CI job runs for.",
            f"{place}, without `--target`.",
        )
    raise UsageError(
        f"{job.system} names no Forgejo or GitHub that could be written to.",
        "Without one, `--format junit` or `--format sarif` is what a job can show.",
    )


def _open(forge: ForgeOfJob) -> ForgejoApi:
    variables = (os.environ.get(name, "").strip() for name in ("FORGEJO_TOKEN", "GITHUB_TOKEN"))
    token = secret_told("TOKEN") or next(filter(None, variables), "")
    # What is to be said is said here, once; a log would say it again.
    configure("console", [token], stream=bare(sys.stderr), level=logging.ERROR)
    if not token:
        raise UsageError("The job has no token.", _ANOTHER_ACCOUNT)
    try:
        if forge.kind == "github":
            return GitHubApi(connect(forge.url, token), told("BOT"))
        return ForgejoApi(Connection(forge.url.rstrip("/").removesuffix("/api/v1"), token))
    except UsageError as wrong:
        raise UsageError(wrong.message, _ADDRESS) from wrong


@_saying("not published")
def tell_pull(work: PreparedWork, examination: Examination) -> None:
    """Write the comment and the status of the job's pull request; what there is to say goes to standard error."""
    job, forge = work.job, _forge(work.job, "Use `--publish` in a job of Forgejo Actions, GitHub Actions or Woodpecker")
    number = "" if job is None else job.pull.removeprefix("pull/")
    if job is None or not number.isdecimal() or examination.head is None:
        subject = "" if job is None else f" of {job.subject}"
        _say(f"nothing was published: this is the job{subject}, and comments belong to pull requests.")
        return
    name, target, head = RepositoryName.parse(forge.repository), examination.target.sha, examination.head.sha
    pull = PullOfJob(name, int(number), job.base, target, head)
    with _open(forge) as api:
        try:
            made = publish(api, pull, work.git, Analysis(work.git, work.trees.memory, work.others()))
        except ForgeError as refused:
            raise OneheadError(refused.message, _way_out(refused, _rights(forge))) from refused
    for each in made.done:
        _say(each)
    for trouble in made.troubles:
        error, failed = trouble.error, f"{trouble.subject}: {trouble.doing}."
        if not isinstance(error, OneheadError):
            _say(f"{failed} {_defect(error)}")
            continue
        rights = _rights(forge, from_fork=made.from_fork) if made.by_job else _ANOTHER_ACCOUNT
        _say(f"{failed} {error.message}", _way_out(error, rights))


def _rights(forge: ForgeOfJob, *, from_fork: bool = False) -> str:
    """How a job gets the rights that its own token lacks."""
    if forge.kind == "github":
        return _FORK_ON_GITHUB if from_fork else _PERMISSIONS
    return _FORK_ON_FORGEJO if from_fork else _ANOTHER_ACCOUNT


def _way_out(refused: OneheadError, rights: str) -> str:
    """What to do about a refusal in a job; `rights`: how it gets those that it lacks."""
    match refused:
        case Unavailable():
            return _AGAIN
        case NotUnderstood():
            return _ADDRESS
        case Blocked() | Locked():
            return refused.hint
        case MissingScope():
            return f"Make a new token with {', '.join(BOT_SCOPES)}, and give it to the job."
        case Forbidden():
            return rights
        case Unauthorised() | NotFound():
            return _ANOTHER_ACCOUNT
        case _:
            return refused.hint


@_saying("no findings were uploaded")
def upload(work: PreparedWork, examination: Examination, sarif: str) -> None:
    """Hand the findings to GitHub's code scanning; what there is to say goes to standard error."""
    job, forge = work.job, _forge(work.job, "Use `--upload-sarif` in a job of GitHub Actions")
    if forge.kind != "github":
        _say("no findings were uploaded: Forgejo has no code scanning.")
        return
    judged = examination.head or examination.target
    ref = os.environ.get("GITHUB_REF", "") if job is None or not job.pull else f"refs/{job.pull}/head"
    with _open(forge) as api:
        if not isinstance(api, GitHubApi):
            raise TypeError("only GitHub has code scanning")
        try:
            api.upload_sarif(RepositoryName.parse(forge.repository), judged.sha, ref, sarif)
        except (Forbidden, NotFound) as refused:
            why = "code scanning is off here, or the job lacks the permission `security-events: write`"
            _say(f"no findings were uploaded: {why} (GitHub answered {refused.status}).")
            return
        except ForgeError as refused:
            raise OneheadError(refused.message, _way_out(refused, _rights(forge))) from refused
    _say("handed the findings to code scanning.")
