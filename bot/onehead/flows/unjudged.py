"""What a verdict does not speak of, although whoever reads it may think so."""

from __future__ import annotations

from onehead.flows.examine import Trees
from onehead.gitrepo.git import Git
from onehead.gitrepo.worktree import checked_out, uncommitted
from onehead.plan.judge import named
from onehead.plan.verdict import Examination, Unjudged
from onehead.revisions.path_hints import is_revision_file


def no_comparison(target: str) -> Unjudged:
    """Only the target was named, so it is not known whether a branch was meant to be compared with it."""
    message = f"what a branch would bring, for none was compared with `{target}`."
    message += f" Add `--head BRANCH`, or use `--at {target}`."
    return Unjudged("no-comparison", message)


def uncommitted_revisions(git: Git, examination: Examination, trees: Trees) -> tuple[Unjudged, ...]:
    """Revision files of the work tree that are not committed, where the commit that is judged is checked out."""
    here = checked_out(git) if examination.environments else None
    if here is None or here[1] != (examination.head or examination.target).sha:
        return ()
    places = [place for examined in examination.environments for place in examined.facts.environment.locations]
    folders = {place.path: place.recursive is True for place in places if not place.blocked}
    paths = tuple(uncommitted(here[0], (trees.head or trees.target).entries, folders, is_revision_file))
    if not paths:
        return ()
    what = "a revision file that is" if len(paths) == 1 else f"{len(paths)} revision files that are"
    message = f"{what} in the work tree and not committed: {named(paths)}. Commit, and check again."
    return (Unjudged("uncommitted", message, paths),)
