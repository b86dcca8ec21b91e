"""The table of plans: what is done in which situation, and why."""

from __future__ import annotations

import pytest

from onehead.plan.decide import decide
from onehead.plan.findings import Code, Evidence, Facts, Held
from onehead.plan.judge import judge
from onehead.plan.plans import Merge, Move, Nothing, Plan, Reason, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.policy import Policy, Strategy
from tests.chains import graph
from tests.plan.cases import facts


def plan(given: Facts, evidence: Evidence | None = None, strategy: Strategy = "auto") -> Plan:
    return decide(given, judge(given), evidence or Evidence(), Policy(strategy=strategy))


def codes(chosen: Plan) -> list[ReasonCode]:
    return [reason.code for reason in chosen.reasons]


COLLIDING = ("018; 019<018", "018; 020<018; 021<020")


def test_a_branch_that_has_not_escaped_moves_onto_the_targets_head_by_its_root() -> None:
    chosen = plan(facts(*COLLIDING))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (Move("020", ("018",), ("019",)),)
    assert (chosen.moved, chosen.heads, codes(chosen)) == (("020", "021"), ("021",), [ReasonCode.NOT_ESCAPED])


def test_what_has_escaped_is_merged_with_the_targets_head_last() -> None:
    chosen = plan(facts(*COLLIDING), Evidence({"versions/021.py": ("branch staging",)}))
    assert isinstance(chosen, Merge)
    assert (chosen.merges, codes(chosen)) == ((("021", "019"),), [ReasonCode.ESCAPED])
    assert "branch staging" in chosen.reasons[0].message


def test_unknown_counts_as_escaped() -> None:
    chosen = plan(facts(*COLLIDING), Evidence(incomplete="This clone is shallow."))
    assert isinstance(chosen, Merge)
    assert codes(chosen) == [ReasonCode.EVIDENCE_INCOMPLETE]


def test_an_explicit_reparent_says_what_has_escaped() -> None:
    chosen = plan(facts(*COLLIDING), Evidence({"versions/020.py": ("tag v1",)}), "reparent")
    assert isinstance(chosen, Reparent)
    assert codes(chosen) == [ReasonCode.STRATEGY, ReasonCode.ESCAPED]


def test_an_explicit_merge_is_a_merge() -> None:
    chosen = plan(facts(*COLLIDING), strategy="merge")
    assert isinstance(chosen, Merge)
    assert codes(chosen) == [ReasonCode.STRATEGY]


def test_a_fork_on_the_target_itself_is_merged() -> None:
    chosen = plan(facts("018; 019<018; 020<018; 021<020"))
    assert isinstance(chosen, Merge)
    assert (chosen.merges, codes(chosen)) == ((("019", "021"),), [ReasonCode.PUBLISHED_FORK])


def test_a_fork_of_the_target_is_not_the_branchs_business() -> None:
    given = facts("a; b<a; c<a", "a; b<a; c<a; d<b")
    chosen = plan(given)
    assert isinstance(chosen, Nothing)
    assert codes(chosen) == [ReasonCode.INHERITED]
    assert [(f.code, f.severity, f.introduced_by) for f in judge(given)] == [(Code.FORK, "note", "target")]


def test_a_merge_that_exists_elsewhere_is_pointed_to() -> None:
    chosen = plan(facts(*COLLIDING), Evidence(merges={("019", "021"): "branch fix-heads"}))
    assert isinstance(chosen, Nothing)
    assert codes(chosen) == [ReasonCode.MERGE_EXISTS]


def test_a_fork_that_a_merge_rejoined_needs_nothing() -> None:
    chosen = plan(facts("018; 019<018; 020<018; 021<020; 022<019,021; 023<022"))
    assert isinstance(chosen, Nothing)
    assert codes(chosen) == [ReasonCode.ONE_HEAD, ReasonCode.REJOINED]


def test_a_branch_that_forks_within_itself_is_re_parented_into_one_line() -> None:
    chosen = plan(facts("a; b<a", "a; c<a; d<a"))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (Move("c", ("a",), ("b",)), Move("d", ("a",), ("c",)))
    assert (chosen.heads, codes(chosen)) == (("d",), [ReasonCode.NOT_ESCAPED])
    assert "The chain stays linear on `b`." in chosen.reasons[0].message


def test_what_its_sides_have_in_common_moves_once() -> None:
    chosen = plan(facts("a; b<a", "a; c<a; d<c; e<c; f<e; g<e"))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (Move("c", ("a",), ("b",)), Move("e", ("c",), ("d",)), Move("g", ("e",), ("f",)))
    assert chosen.heads == ("g",)


@pytest.mark.parametrize(
    ("head", "move"),
    [("a; b<a; c<b; d<a", Move("d", ("a",), ("c",))), ("a; b<a; c<a; d<b", Move("c", ("a",), ("d",)))],
)
def test_of_a_branch_with_all_of_the_target_what_stands_on_its_head_stays_there(head: str, move: Move) -> None:
    chosen = plan(facts("a; b<a", head))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (move,)


def test_a_branch_that_forks_within_itself_and_has_escaped_is_merged() -> None:
    chosen = plan(facts("a; b<a", "a; c<a; d<a"), Evidence({"versions/d.py": ("tag v1",)}))
    assert isinstance(chosen, Merge)
    assert (chosen.merges, codes(chosen)) == ((("c", "d", "b"),), [ReasonCode.ESCAPED])


@pytest.mark.parametrize(
    ("target", "head", "joined"),
    [
        ("a; b<a; c<a", "a; d<a", "b"),  # equally near
        ("a; b<a; c<a; d<c; e<c", "a; c<a; x<c", "d"),
        ("a; b<a; c<a; z<c", "a; c<a; x<c", "z"),
        ("a; b<a; c<a; z<c", "a; c<a; x<c; y<c", "z"),
    ],
)
def test_on_a_forked_target_a_branch_is_joined_to_the_nearest_head(target: str, head: str, joined: str) -> None:
    chosen = plan(facts(target, head))
    assert isinstance(chosen, Merge)
    [parents] = chosen.merges
    assert (parents[-1], codes(chosen)) == (joined, [ReasonCode.SEVERAL_TARGET_HEADS])
    assert len(set(parents) & set(graph(target).heads)) == 1


def test_several_roots_that_meet_again_all_move() -> None:
    chosen = plan(facts("a; b<a; t<b", "a; b<a; x<a; y<b; m<x,y"))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (Move("x", ("a",), ("t",)), Move("y", ("b",), ("t",)))
    assert chosen.heads == ("m",)


def test_both_sides_of_an_expand_contract_layout_are_repaired_at_once() -> None:
    target = "a; e<a @expand; c<a @contract; e1<e; c1<c"
    chosen = plan(facts(target, "a; e<a @expand; c<a @contract; e2<e; c2<c"))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (Move("c2", ("c",), ("c1",)), Move("e2", ("e",), ("e1",)))
    assert chosen.heads == ("c2", "e2")


def test_a_new_base_without_a_label_is_put_on_top() -> None:
    chosen = plan(facts("a; b<a", "a; b<a; z"))
    assert isinstance(chosen, Reparent)
    assert chosen.moves == (Move("z", (), ("b",)),)


@pytest.mark.parametrize(
    ("target", "head", "reason"),
    [
        ("a; b<a", "a; b<a; c<gone", ReasonCode.MISSING_PARENT),
        ("a; b<a", "a; b<a; x<y; y<x", ReasonCode.CYCLE),
    ],
)
def test_what_can_not_be_repaired_is_refused_with_options(target: str, head: str, reason: ReasonCode) -> None:
    chosen = plan(facts(target, head))
    assert isinstance(chosen, Refuse)
    assert reason in codes(chosen)
    assert all(option.endswith(".") for option in chosen.options)


def test_a_taken_id_is_re_issued_and_moved_where_it_would_fork() -> None:
    chosen = plan(facts("a; b<a path=versions/b_theirs.py", "a; b<a path=versions/b_ours.py"))
    assert isinstance(chosen, Reissue)
    assert (chosen.files, chosen.moves) == ((("b", "versions/b_ours.py"),), (Move("b", ("a",), ("b",)),))


def test_a_chain_whose_ids_are_all_taken_is_re_issued_as_a_whole() -> None:
    target = "a; b<a path=versions/b1.py; c<b path=versions/c1.py"
    head = "a; b<a path=versions/b2.py; c<b path=versions/c2.py"
    chosen = plan(facts(target, head))
    assert isinstance(chosen, Reissue)
    assert chosen.files == (("b", "versions/b2.py"), ("c", "versions/c2.py"))
    assert (chosen.moves, chosen.moved) == ((Move("b", ("a",), ("c",)),), ("b", "c"))


def test_a_taken_id_that_escaped_is_a_persons_decision() -> None:
    given = facts("a; b<a path=versions/b1.py", "a; b<a path=versions/b2.py")
    chosen = plan(given, Evidence({"versions/b2.py": ("branch staging",)}))
    assert isinstance(chosen, Refuse)
    assert codes(chosen) == [ReasonCode.DUPLICATE_PUBLISHED]


@pytest.mark.parametrize(
    ("target", "head"),
    [
        ("a; b<a; c<b", "a; b<a; c<b; b<c path=versions/new.py"),
        ("a; b<a; c<b; t<c", "a; b<a; c<b; b<c path=versions/new.py"),
        ("a; b<a; c<b", "a; b<a; c<b; b<c path=versions/new.py; x<b"),
        ("a; b<a; c<b", "a; b<a; c<b; a<c path=versions/a_first.py"),
    ],
)
def test_an_old_id_that_a_newer_revision_reuses_is_re_issued_although_it_makes_a_circle(target: str, head: str) -> None:
    given = facts(target, head)
    assert given.merged.cycles
    assert [f.code for f in judge(given) if f.severity == "error"] == [Code.DUPLICATE_ID]
    chosen = plan(given)
    assert isinstance(chosen, Reissue)
    [(_, path)] = chosen.files
    assert path in ("versions/new.py", "versions/a_first.py")
    assert chosen.moves == ((Move("b", ("c",), ("t",)),) if "t<c" in target else ())


def test_a_circle_that_new_ids_do_not_break_is_refused() -> None:
    chosen = plan(facts("a; b<a", "a; b<a; b<y path=versions/new.py; x<b; y<x"))
    assert isinstance(chosen, Refuse)
    assert codes(chosen) == [ReasonCode.CYCLE]
    assert "\0" not in chosen.reasons[0].message


def copied(target: str, head: str, *ids: str) -> Facts:
    """The definitions of these ids do the same."""
    given = facts(target, head)
    return given._replace(behaviours={r.blob: id_ for id_ in ids for r in given.merged.definitions(id_)})


@pytest.mark.parametrize(
    ("target", "head", "ids", "moves"),
    [
        # Another file name; another parent; something of its own beneath the copy, above it, and both.
        ("a; b<a; c<b", "a; b<a; c<b; b<a path=versions/z.py", "b", ()),
        ("a; b<a; c<b", "a; c<a path=versions/z.py", "c", ()),
        ("a; b<a; c<b", "a; x<a; c<x path=versions/z.py", "c", (Move("x", ("a",), ("c",)),)),
        ("a; b<a; c<b", "a; c<a path=versions/z.py; y<c", "c", ()),
        (
            "a; b<a; c<b",
            "a; x<a; c<x path=versions/z.py; y<c",
            "c",
            (Move("y", ("c",), ("x",)), Move("x", ("a",), ("c",))),
        ),
        (
            "a; b<a; c<b",
            "a; x<a; b<x path=versions/y.py; c<b path=versions/z.py; y<c",
            "bc",
            (Move("y", ("c",), ("x",)), Move("x", ("a",), ("c",))),
        ),
    ],
)
def test_a_copy_of_a_published_revision_is_dropped_and_what_followed_it_follows_the_other(
    target: str, head: str, ids: str, moves: tuple[Move, ...]
) -> None:
    chosen = plan(copied(target, head, *ids))
    assert isinstance(chosen, Reissue)
    assert (chosen.files, chosen.moves) == ((), moves)
    assert [id_ for id_, _ in chosen.dropped] == list(ids)
    assert set(codes(chosen)) == {ReasonCode.DUPLICATE_COPY}


def test_beside_a_copy_what_does_something_else_gets_a_new_id() -> None:
    head = "a; b<a path=versions/y.py; c<b path=versions/z.py"
    chosen = plan(copied("a; b<a; c<b", head, "b"))
    assert isinstance(chosen, Reissue)
    assert chosen.dropped == (("b", "versions/y.py"),)
    assert (chosen.files, chosen.moves) == ((("c", "versions/z.py"),), (Move("c", ("b",), ("c",)),))


def test_a_copy_that_has_escaped_is_a_persons_decision() -> None:
    given = copied("a; b<a; c<b", "a; c<a path=versions/z.py", "c")
    chosen = plan(given, Evidence({"versions/z.py": ("branch staging",)}))
    assert isinstance(chosen, Refuse)
    assert codes(chosen) == [ReasonCode.DUPLICATE_PUBLISHED]


HELD = (Held("staging", "021", "2026-11-28"), Held("staging", "020", "2026-11-27"))
RAN = Evidence(reported={"versions/020.py": HELD})


def test_what_a_database_has_run_is_merged_and_the_database_named() -> None:
    chosen = plan(facts(*COLLIDING), RAN)
    assert isinstance(chosen, Merge)
    assert chosen.merges == (("021", "019"),)
    assert chosen.reasons == (
        Reason(
            ReasonCode.REPORTED,
            "`020` has been run: the database `staging` held `021` on 2026-11-28; the database `staging` held `020` on "
            "2026-11-27. After a re-parent, that database would silently skip the other side.",
        ),
    )


@pytest.mark.parametrize("fresh_ids", [True, False])
def test_what_a_database_has_run_is_not_moved_when_that_is_asked_for_either(fresh_ids: bool) -> None:
    given = facts(*COLLIDING)
    chosen = decide(given, judge(given), RAN, Policy(strategy="reparent", fresh_ids=fresh_ids))
    assert isinstance(chosen, Refuse)
    assert codes(chosen) == [ReasonCode.REPORTED]
    assert "onehead fix --strategy merge" in chosen.options[0]
    assert "onehead report-rows --forget" in chosen.options[1]


def test_what_an_unknown_row_has_run_is_unknown_so_nothing_is_moved_by_itself() -> None:
    lost = Evidence(unplaced=(Held("staging", "zz", "2026-11-28"),))
    chosen = plan(facts(*COLLIDING), lost)
    assert isinstance(chosen, Merge)
    assert codes(chosen) == [ReasonCode.UNKNOWN_ROW]
    assert "it has held `zz` since 2026-11-28, which no file here and no other branch declares" in (
        chosen.reasons[0].message
    )
    asked = plan(facts(*COLLIDING), lost, "reparent")
    assert isinstance(asked, Reparent)
    assert codes(asked) == [ReasonCode.STRATEGY, ReasonCode.UNKNOWN_ROW]


def test_a_taken_id_that_a_database_has_run_is_a_persons_decision() -> None:
    own = "versions/b2.py"
    given = facts("a; b<a path=versions/b1.py", f"a; b<a path={own}")
    for evidence, said in (
        (Evidence(reported={own: (Held("staging", "c", "2026-11-28"),)}), "`b` on the database `staging`"),
        (Evidence(unplaced=(Held("staging", "zz", "2026-11-28"),)), "what ran on `staging`, which holds `zz`"),
    ):
        chosen = plan(given, evidence)
        assert isinstance(chosen, Refuse)
        assert codes(chosen) == [ReasonCode.DUPLICATE_PUBLISHED]
        assert said in chosen.reasons[0].message
