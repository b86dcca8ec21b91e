"""The `remote:` lines, word for word."""

from __future__ import annotations

from collections.abc import Iterable

from onehead.plan.findings import Code, Finding
from onehead.plan.verdict import Before, Point, PushedBranch
from onehead.reports.terminal import acceptance, heads_up, not_judged, not_looked_ahead, refusal
from tests.plan.cases import examination, facts, unreadable

ONE = "018; 019<018"
FORKED = "018; 019<018; 020<018"


def pushed(target: str, pushed: str, before: Before = "itself", *, grows: bool = True) -> PushedBranch:
    return PushedBranch("main", before, examination(facts(target, pushed, pushed)), grows)


def text(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def test_a_push_that_forks_the_chain() -> None:
    assert (
        text(refusal(pushed(ONE, f"{FORKED}; 021<020"), merging=False))
        == """\
onehead: push refused. main would have a head too many, and its next deploy would stop.

versions: 2 heads (019, 021)
  ○ 018  doc 018  (main)
  ├─● 019  doc 019  ← head, main
  └─○ 020  doc 020  (this push)
    ● 021  doc 021  ← head, this push
  `alembic upgrade head` stops there with "Multiple head revisions".

To correct it, type in your clone, on what you pushed:
  git fetch origin
  onehead fix --target origin/main --head HEAD --onto-branch onehead/repair
  git merge onehead/repair
  git push origin HEAD:main
`onehead fix` moves your revisions on top (re-parent) where no database can have
run them, and joins the heads with a merge revision where one may have.
Or push to a branch of its own and open a pull request. The onehead bot, where
there is one, answers with the repair:
  git push origin HEAD:refs/heads/NEW-NAME"""
    )


def test_a_merge_that_forks_the_chain() -> None:
    """Forgejo shows it as one message."""
    assert (
        text(refusal(pushed(ONE, f"{FORKED}; 021<020"), merging=True))
        == """\
onehead: not merged. main would have a head too many, and its next deploy would stop.
  error collision: Once merged, the chain forks after `018`: 2 heads (`019` and `021`); `021` is the new one.
Merge the repair into this branch first: the onehead bot, where there is one, opens a
pull request with it. By hand, in a clone, on this branch:
  git fetch origin
  onehead fix --target origin/main --head HEAD --onto-branch onehead/repair
  git merge onehead/repair
  git push"""
    )


def test_a_push_by_force_is_repaired_by_itself() -> None:
    lines = text(refusal(pushed(ONE, "018; 020<018; 021<018", grows=False), merging=False))
    assert "main would have a head too many" in lines
    assert (
        """
To correct it, type in your clone, on what you pushed:
  onehead fix --target HEAD --onto-branch onehead/repair
  git merge onehead/repair
and push again as you did. `onehead fix` joins the heads with a merge revision.
"""
        in lines
    )


def test_a_first_push_has_no_sides() -> None:
    lines = text(
        refusal(PushedBranch("main", "nothing", examination(facts(f"{FORKED}; 021<018")), grows=False), merging=False)
    )
    assert "main would have 2 heads too many" in lines
    assert "\n  ○ 018  doc 018\n  ├─● 019  doc 019  ← head\n" in lines


def test_more_heads_than_the_policy_allows() -> None:
    given = facts(ONE, FORKED + "; 021<018", FORKED + "; 021<018")._replace(allowed_heads=2)
    lines = text(refusal(PushedBranch("main", "itself", examination(given)), merging=False))
    assert "main would have a head too many" in lines
    assert "\n  The policy of main allows 2 heads here.\n" in lines
    assert "Multiple head revisions" not in lines


def test_a_chain_that_breaks_otherwise() -> None:
    assert (
        text(refusal(pushed(ONE, "019<018"), merging=False))
        == """\
onehead: push refused. The next deploy of main would break.
  error missing-parent: `019` still needs `018`, which this branch removes; every Alembic command stops with KeyError.
    → Restore the missing file with the same id, or point the revision at a parent that exists."""
    )


def test_what_may_hide_a_head() -> None:
    given = PushedBranch("main", "itself", examination(facts(ONE, ONE, new=(unreadable("new.py"),))))
    lines = text(refusal(given, merging=False)).splitlines()
    assert lines[0] == "onehead: push refused. It is not known whether main would stay at one head."
    assert lines[1] == "  error unreadable-file: `versions/new.py`, line 3: it is odd."


def test_of_many_errors_some_are_told() -> None:
    cut = "; ".join(f"b{number}<a{number}" for number in range(9))
    lines = text(refusal(pushed("; ".join(f"a{n}; b{n}<a{n}" for n in range(9)), cut), merging=True))
    assert lines.count("error missing-parent") == 4
    assert lines.endswith("\n  and 5 more; onehead check lists them all.")


def test_names_of_branches_are_quoted_where_they_are_typed() -> None:
    given = pushed(ONE, FORKED)._replace(branch="a$(b)")
    lines = text(refusal(given, merging=False))
    assert "  onehead fix --target 'origin/a$(b)' --head HEAD --onto-branch onehead/repair\n" in lines
    assert "  git push origin HEAD:'a$(b)'\n" in lines


def test_control_characters_do_not_reach_the_terminal() -> None:
    given = pushed(ONE, f"{ONE}; \x1b[2J<018")
    assert "\x1b" not in text(refusal(given, merging=False))


def test_most_accepted_pushes_are_silent() -> None:
    assert text(acceptance(pushed(ONE, f"{ONE}; 020<019"))) == ""
    assert text(acceptance(PushedBranch("main", "nothing", examination(facts(ONE))))) == ""


def test_a_repair_is_welcome() -> None:
    assert (
        text(acceptance(pushed(FORKED, f"{FORKED}; 022<019,020")))
        == "onehead: main is at one head again in versions: 022. Thank you."
    )


def test_a_fork_that_was_there_is_told_and_not_held_against_the_push() -> None:
    assert (
        text(acceptance(pushed(FORKED, f"{FORKED}; 021<020")))
        == """\
onehead: main was forked before this push and still is: heads 019 and 021.
  Its next deploy stops. The repair: onehead fix --target main"""
    )


def test_warnings_about_a_deployed_branch() -> None:
    lines = text(acceptance(pushed(f"{ONE}; 020<019", ONE))).splitlines()
    assert lines[0] == "onehead: accepted. Look at this:"
    assert lines[1].startswith("  warning history-edited: `020` is removed.")
    assert text(acceptance(pushed(f"{ONE}; 020<019", ONE, "default"))) == ""


def test_what_could_not_be_read_in_a_first_push_is_told() -> None:
    given = PushedBranch("main", "nothing", examination(facts(ONE, old=(unreadable("odd.py"),))))
    assert "\n  error unreadable-file: `versions/odd.py`, line 3: it is odd.\n" in text(acceptance(given))


def test_a_branch_that_would_collide() -> None:
    judged = examination(facts(ONE, "018; 020<018"))._replace(
        target=Point("refs/heads/main", "1" * 40), head=Point("refs/heads/oauth", "2" * 40)
    )
    assert (
        text(heads_up(judged))
        == """\
onehead: accepted, but oauth can't be merged into main like this.
  error collision: Once merged, the chain forks after `018`: 2 heads (`019` and `020`); `020` is the new one.
The onehead bot, where there is one, opens a pull request with the repair. By hand:
  git fetch origin
  onehead fix --target origin/main --head HEAD --onto-branch onehead/repair
  git merge onehead/repair"""
    )


def test_a_branch_that_would_get_on_is_no_matter() -> None:
    assert text(heads_up(examination(facts(ONE, f"{ONE}; 020<019")))) == ""


def test_what_no_command_repairs_names_none() -> None:
    judged = examination(facts(ONE, ONE))
    odd = Finding(Code.BAD_POLICY, "error", "head", "`.onehead.toml`, line 1: no.", paths=(".onehead.toml",), line=1)
    lines = text(heads_up(judged._replace(findings=(odd,))))
    assert "  error bad-policy: `.onehead.toml`, line 1: no.\n    → Correct the line" in lines
    assert "onehead fix" not in lines


def test_no_verdict() -> None:
    assert (
        text(not_judged("Git is gone.", "Install it.", refused=False))
        == """\
onehead: accepted WITHOUT a verdict. This push could not be judged.
  Git is gone.
  → Install it.
Judge it in your clone: onehead check. If this comes again, show it to whoever looks
after the server."""
    )
    assert (
        text(not_judged("Git is gone.", "", refused=True))
        == """\
onehead: push refused. It could not be judged, and this server asks for a verdict.
  Git is gone.
Push again. If this comes again, show it to whoever looks after the server."""
    )
    assert (
        text(not_looked_ahead("Git is gone."))
        == """\
onehead: accepted. It is not known whether it would collide once merged:
  Git is gone."""
    )
