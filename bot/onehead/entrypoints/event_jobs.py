"""What an event asks to be looked at. Pure: event in, job out, or the reason why there is none."""

from __future__ import annotations

from typing import assert_never

from onehead.forge.webhooks import BranchCreated, BranchDeleted, Commented, Event, Ignored, PullRequestChanged, Push
from onehead.jobs import job
from onehead.jobs.job import Job, Subject

KINDS: dict[type[Event], str] = {
    Push: "push",
    BranchCreated: "create",
    BranchDeleted: "delete",
    PullRequestChanged: "pull_request",
    Commented: "comment",
    Ignored: "other",
}
"""A short name for every kind of event: few and fixed, so that they can label a metric."""

COMMAND_MARK = "/onehead"


def job_for(event: Event) -> Job | str:
    """The job that an event asks for, or a clause saying why it asks for none.

    Only what is certain without reading anything else is turned away here; everything that may matter becomes a
    job, for the run looks at the forge anyway.
    """
    match event:
        case Ignored():
            return event.reason
        # Forgejo sends both for a new branch, in any order, and tries each once: either is enough, and the
        # two are merged while they wait.
        case Push() | BranchCreated():
            return _job(event, job.BranchMoved(f"refs/heads/{event.branch}"))
        case BranchDeleted():
            return _job(event, job.BranchDeleted(f"refs/heads/{event.branch}"))
        case PullRequestChanged():
            # A changed title can make a draft of it and a changed ref gives it another target; a text does neither.
            if event.action == "edited" and event.changed == ("body",):
                return "only the text of the pull request has changed"
            return _job(event, job.PullChanged(event.pull.number))
        case Commented():
            return _job_for_comment(event)
    assert_never(event)


def _job_for_comment(event: Commented) -> Job | str:
    if event.action == "deleted":
        return "the comment was deleted"
    # Most comments are talk. Whether this one really holds a command is decided by the grammar, in the run.
    if COMMAND_MARK not in event.comment.body.lower():
        return f"the comment does not mention {COMMAND_MARK}"
    # Permissions are those of the sender, who may have edited somebody else's comment.
    wrote_it = event.sender.id == event.comment.author.id
    may_write = (event.permissions.push or event.permissions.admin) if wrote_it else None
    return _job(event, job.CommandGiven(event.comment.id, event.number, may_write))


def _job(event: Push | BranchCreated | BranchDeleted | PullRequestChanged | Commented, subject: Subject) -> Job:
    return Job(str(event.repository), frozenset({subject}))
