"""What a reported crash means for a deployed branch: values in, Markdown out."""

from __future__ import annotations

from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.verdict import Point
from onehead.quoting import code
from onehead.reports.text import short_ref
from onehead.states.crash import Crash, Trouble


def meaning(crash: Crash, facts: Facts, target: Point, place: str = "") -> str:
    """What one complaint of Alembic's says about a branch, how to tell, and what not to do.

    Which text has which cause was measured; none of it is guessed from the words alone.

    Args:
        crash: the complaint.
        facts: the environment, judged by itself.
        target: the deployed branch.
        place: where the revision that it names stands, if not on the branch ("#5", "the branch oauth"), as Markdown.
    """
    main, sha = code(short_ref(target.ref)), target.sha[:10]
    subject = code(crash.subject) if crash.subject else ""
    match crash.trouble:
        case Trouble.MULTIPLE_HEADS if forks_of(facts):
            return f"That is this very fork of {main}. Every deploy of it stops here, whatever the database holds."
        case Trouble.MULTIPLE_HEADS:
            return (
                f"{main} at {sha} has no fork, so the crashing image was built from another commit: an older one, or a "
                "branch. Run `alembic heads` in that image; if it shows two, deploy a newer one. Nothing has to be "
                "deleted or stamped."
            )
        case Trouble.CANNOT_LOCATE if crash.subject in facts.target:
            return _old_image(facts, subject, f"{main} at {sha}")
        case Trouble.CANNOT_LOCATE:
            where = (
                f"it stands on {place}. Somebody has run that branch on this database"
                if place
                else "no open pull request and no branch here would bring it. It was removed or renamed after a "
                f"database had run it ({code(f'git log --all --oneline -S{crash.subject}')} finds the commit)"
            )
            return (
                f"{subject} is not on {main}; {where}. Deploy the commit that has it, or bring it to {main}. Do not "
                "`stamp`: that would hide which tables are really there."
            )
        case Trouble.OVERLAPS:
            return (
                f"`alembic_version` holds {subject} together with a revision that already stands on it. One of the two "
                "rows is too many; `/onehead doctor ROW ROW` with both says which, and how to take it out."
            )
        case Trouble.MISSING_PARENT if crash.subject in facts.target:
            return (
                f"{subject} is on {main}, so the image lacks that file while it has files that follow it: look at how "
                "it is built. The database was not touched."
            )
        case Trouble.MISSING_PARENT:
            return f"A revision in the image follows {subject}, which no file on {main} declares. Restore that file."
        case Trouble.DUPLICATE_OBJECT:
            return (
                f"{subject} is there already although its revision has not been recorded: an earlier run was cut off "
                "half-way, or something else created it. Compare the tables with the rows before anything is repeated."
            )


def _old_image(facts: Facts, subject: str, deploy: str) -> str:
    heads = " and ".join(code(head) for head in facts.target.heads)
    return f"""\
{subject} is on {deploy}, so neither the chain nor the row in the database is wrong. The image that crashes holds \
neither {subject} nor anything after it. Run `alembic heads` in that image:

- It shows an older revision: the image was built from an old commit. Deploy {deploy}, or newer.
- It shows nothing: the migrations were not copied into it, or Alembic looks into another folder. Mend how it is built.
- It shows {heads}: this image is well; another one has crashed.

The database then goes on by itself from {subject}. Do not `stamp`: that runs no migration, and what is skipped would \
never be made."""
