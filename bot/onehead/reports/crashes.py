"""What a reported crash means for a deployed branch: values in, Markdown or plain text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onehead.plan.facts import Facts
from onehead.plan.forks import forks_of
from onehead.plan.verdict import Point
from onehead.quoting import code
from onehead.reports.text import short_ref
from onehead.states.crash import Crash, Trouble


def meaning(
    crash: Crash,
    facts: Facts,
    target: Point,
    place: str = "",
    *,
    past: str = "",
    makers: Sequence[str] = (),
    mark: Callable[[str], str] = code,
) -> str:
    """What one complaint of Alembic's says about a branch, how to tell, and what not to do.

    Which text has which cause was measured; none of it is guessed from the words alone.

    Args:
        crash: the complaint.
        facts: the environment, judged by itself.
        target: the deployed branch.
        place: where the revision that it names stands, if not on the branch ("#5", "the branch oauth"), marked up like
            the rest.
        past: what has become of it, if it was here once ("5f2c0d1 Tidy up removed it").
        makers: the revisions that make the object that it names, if any is known to.
        mark: how a name stands out: as code in Markdown, unless something else is given.
    """
    main, sha = mark(short_ref(target.ref)), target.sha[:10]
    subject = mark(crash.subject) if crash.subject else ""
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
            return _old_image(facts, subject, f"{main} at {sha}", mark)
        case Trouble.CANNOT_LOCATE:
            where = _elsewhere(crash, place, past, mark)
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
        case _:
            return _in_the_database(crash, facts, main, makers, mark)


def _in_the_database(crash: Crash, facts: Facts, main: str, makers: Sequence[str], mark: Callable[[str], str]) -> str:
    """Of complaints that come from what a database holds, or from somebody else at work in it."""
    subject = mark(crash.subject) if crash.subject else ""
    match crash.trouble:
        case Trouble.DUPLICATE_OBJECT:
            makes = f" {' and '.join(map(mark, makers))} of this chain makes it." if makers else ""
            return (
                f"{subject} is there already although its revision has not been recorded: an earlier run was cut off "
                f"half-way, or something else created it.{makes} Compare the tables with the rows before anything is "
                "repeated."
            )
        case Trouble.ROW_CHANGED:
            return (
                f"Another process has changed the row {subject} meanwhile: two deploys have run migrations at the same "
                "time, and Alembic takes no lock. This one was taken back; run the deploy again, one at a time. If it "
                "comes back, the version table holds the same row twice."
            )
        case _:
            long = [mark(id_) for id_ in facts.target.revisions if len(id_) > _LONGEST_ID]
            named = f" On {main} that is {', '.join(long[:3])}." if long else f" None on {main} is."
            return (
                f"Alembic's version table takes ids of {_LONGEST_ID} characters; a longer one can't be recorded."
                f"{named} Shorten the id where no database has it yet, or widen the column `version_num`."
            )


_LONGEST_ID = 32


def _elsewhere(crash: Crash, place: str, past: str, mark: Callable[[str], str]) -> str:
    if place:
        return f"it stands on {place}. Somebody has run that branch on this database"
    if past:
        return f"{past}, after a database had run it"
    return (
        "no open pull request and no branch here would bring it. It was removed or renamed after a database had run it "
        f"({mark(f'git log --all --oneline -S{crash.subject}')} finds the commit), or another service keeps its rows "
        "in the same table"
    )


def _old_image(facts: Facts, subject: str, deploy: str, mark: Callable[[str], str]) -> str:
    heads = " and ".join(mark(head) for head in facts.target.heads)
    return f"""\
{subject} is on {deploy}, so neither the chain nor the row in the database is wrong. The image that crashes holds \
neither {subject} nor anything after it. Run `alembic heads` in that image:

- It shows an older revision: the image was built from an old commit. Deploy {deploy}, or newer.
- It shows nothing: the migrations were not copied into it, or Alembic looks into another folder. Mend how it is built.
- It shows {heads}: this image is well; another one has crashed.

The database then goes on by itself from {subject}. Do not `stamp`: that runs no migration, and what is skipped would \
never be made."""
