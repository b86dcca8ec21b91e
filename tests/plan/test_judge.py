"""Every finding: what makes it, who brought it, how bad it is, and the near miss that is none."""

from __future__ import annotations

import pytest

from onehead.plan.findings import KINDS, Code, Facts
from onehead.plan.judge import configuration_findings, judge
from onehead.revisions.graph import Graph
from onehead.revisions.model import ConfigProblem
from tests.chains import graph
from tests.plan.cases import ENVIRONMENT, GUESSED, edited, facts, found, unreadable

LONG = "x" * 33
BY_ENV_PY = ENVIRONMENT._replace(config=None, section=None)


def shape(given: Facts, code: Code) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(finding.severity, finding.introduced_by, finding.revisions) for finding in found(given, code)]


def test_a_collision_in_full() -> None:
    [finding] = judge(facts("018; 019<018", "018; 020<018; 021<020"))
    assert finding.code is Code.COLLISION
    assert (finding.severity, finding.introduced_by, finding.blinds) == ("error", "head", False)
    assert (
        finding.message == "Once merged, the chain forks after `018`: 2 heads (`019` and `021`); `021` is the new one."
    )
    assert (finding.revisions, finding.paths) == (("018", "019", "021"), ("versions/019.py", "versions/021.py"))
    assert finding.hint == KINDS[Code.COLLISION].hint


def test_several_new_heads_are_named_together() -> None:
    [finding] = judge(facts("a; b<a", "a; c<a; d<a"))
    assert finding.message.endswith("3 heads (`b`, `c` and `d`); `c` and `d` are new.")


def test_a_fork_of_a_branch_by_itself() -> None:
    [finding] = judge(facts("a; b<a; c<a"))
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.FORK, "error", "target")
    assert finding.message == "The chain forks after `a`: 2 heads (`b` and `c`) where one is meant to be."


def test_what_the_target_has_already_is_a_note_for_the_branch() -> None:
    [finding] = judge(facts("a; b<a; c<a", "a; b<a; c<a; d<b"))
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.FORK, "note", "target")
    assert finding.message == "The target is forked already after `a`: `c` and `d`. This branch did not bring it."


@pytest.mark.parametrize(
    ("target", "head"),
    [
        ("a; b<a", "a; b<a; c<b"),
        ("a; b<a", "a"),
        ("a; b<a; c<a; m<b,c", "a; b<a; c<a; m<b,c; d<m"),
        ("a; b<a; c<a", "a; b<a; c<a; m<b,c"),
        ("a; e<a @expand; c<a @contract", "a; e<a @expand; c<a @contract; e2<e; c2<c"),
        ("a @one; x @two", "a @one; x @two; b<a; y<x"),
        ("", "a; b<a"),
        ("", ""),
    ],
)
def test_healthy_branches_have_no_findings(target: str, head: str) -> None:
    assert judge(facts(target, head)) == ()


def test_a_new_base_or_labelled_line_is_a_warning() -> None:
    [finding] = judge(facts("a; b<a", "a; b<a; z @reports"))
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.NEW_BASE, "warning", "head")
    assert finding.message == (
        "`z` is a head of its own beside `b`; it has a label of its own or may be a separate "
        "chain, so it is taken as meant."
    )
    assert finding.paths == ("versions/z.py",)


def test_a_line_without_a_label_beside_labelled_ones_is_a_warning_when_judged_alone() -> None:
    [finding] = judge(facts("a; b<a; s<a @side"))
    assert (finding.code, finding.severity, finding.revisions) == (Code.NEW_BASE, "warning", ("b",))
    assert finding.message == (
        "`b` is a head of its own beside `s`; it has no branch label that distinguishes it from the others, so only "
        "`alembic upgrade heads` reaches it."
    )
    assert judge(facts("a; b<a @main; s<a @side")) == ()
    assert judge(facts("a; b<a; s<a @side")._replace(allowed_heads=2)) == ()


def test_a_main_with_many_unrelated_heads_is_a_fork() -> None:
    [finding] = judge(facts("a; b; c; d; e; f; g"))
    assert (finding.code, finding.severity) == (Code.FORK, "error")
    assert finding.message.startswith("The chain forks: 7 heads (")


def test_duplicate_ids() -> None:
    given = facts("a; b<a path=versions/1.py", "a; b<a path=versions/2.py")
    [finding] = judge(given)
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.DUPLICATE_ID, "error", "head")
    assert finding.message == "`b` is declared by 2 files; Alembic keeps one of them and never runs the rest."
    assert finding.paths == ("versions/1.py", "versions/2.py")


def test_a_duplicate_that_the_target_has_is_its_own() -> None:
    both = "a; b<a path=versions/1.py; b<a path=versions/2.py"
    assert shape(facts(both, f"{both}; c<b"), Code.DUPLICATE_ID) == [("note", "target", ("b",))]
    assert shape(facts(both), Code.DUPLICATE_ID) == [("error", "target", ("b",))]
    assert shape(facts(both, f"{both}; b<a path=versions/3.py"), Code.DUPLICATE_ID) == [("error", "head", ("b",))]


def test_a_copy_is_told_from_a_rival() -> None:
    [one] = facts("a").target
    given = facts("a", "a")._replace(merged=Graph([one, one._replace(path="versions/copy.py")]))
    assert found(given, Code.DUPLICATE_ID)[0].message.endswith(
        " Their content is the same, so one of them is a copy to delete."
    )


def test_duplicate_labels() -> None:
    [finding] = found(facts("a @x", "a @x; b<a @x"), Code.DUPLICATE_LABEL)
    assert (finding.severity, finding.introduced_by, finding.revisions) == ("error", "head", ("a", "b"))
    assert (
        finding.message == "The branch label `x` is declared by `a` and `b`; every Alembic command stops with an error."
    )
    assert shape(facts("a @x; b<a @x", "a @x; b<a @x; c<b"), Code.DUPLICATE_LABEL) == [("note", "target", ("a", "b"))]
    assert found(facts("a @x", "a @x; b<a @y"), Code.DUPLICATE_LABEL) == []


def test_computed_labels_cannot_be_compared() -> None:
    given = facts("a", "a; b<a @cli.EXPAND; c<b @cli.EXPAND")
    named = [r._replace(computed=("branch_labels",)) if r.branch_labels else r for r in given.merged]
    given = given._replace(merged=Graph(named))
    assert found(given, Code.DUPLICATE_LABEL) == []
    assert shape(given, Code.DYNAMIC_LABEL) == [("warning", "head", ("b",)), ("warning", "head", ("c",))]


def test_computed_dependencies_are_said_once_by_who_brings_them() -> None:
    given = facts("a", "a; b<a")
    computed = Graph(r._replace(computed=("depends_on",)) for r in given.merged)
    [finding] = found(given._replace(merged=computed), Code.DYNAMIC_LABEL)
    assert finding.message == "`versions/b.py` computes its `depends_on`, so it could not be compared with the others."


def test_cycles() -> None:
    assert shape(facts("a", "a; x<y; y<x"), Code.CYCLE) == [("error", "head", ("x", "y"))]
    assert shape(facts("a; x<y; y<x", "a; x<y; y<x; b<a"), Code.CYCLE) == [("note", "target", ("x", "y"))]
    assert shape(facts("a; b<a", "a; b<a; c<b ~a"), Code.CYCLE) == []
    assert shape(facts("a; b<a", "a ~c; b<a; c<b", "a ~c; b<a; c<b"), Code.CYCLE) == [
        ("error", "head", ("a", "b", "c"))
    ]


def test_missing_parents() -> None:
    [finding] = found(facts("a", "a; b<gone"), Code.MISSING_PARENT)
    assert (finding.severity, finding.introduced_by, finding.blinds) == ("error", "head", False)
    assert finding.message == (
        "`b` names `gone` as its parent, and no file declares that id; every Alembic command stops with KeyError."
    )
    assert shape(facts("a; b<gone"), Code.MISSING_PARENT) == [("error", "target", ("b", "gone"))]


def test_a_parent_that_the_branch_removes() -> None:
    [finding] = found(facts("a; b<a", "a; b<a", "b<a"), Code.MISSING_PARENT)
    assert (
        finding.message == "`b` still needs `a`, which this branch removes; every Alembic command stops with KeyError."
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (facts("b<gone", "b<gone; c<b"), []),
        (facts("b<gone", "b<gone; c<gone"), [("warning", "head", ("c",))]),
        (facts("a", "a; b<core")._replace(elsewhere=frozenset({"core"})), [("error", "head", ("b", "core"))]),
        (
            facts("a", "a; b<core")._replace(elsewhere=frozenset({"core"}), set_in_code=True),
            [("warning", "head", ("b",))],
        ),
        (
            facts("a", "a; b<core", environment=BY_ENV_PY)._replace(elsewhere=frozenset({"core"})),
            [("warning", "head", ("b",))],
        ),
        (facts("a", "a; b<core", environment=GUESSED), [("warning", "head", ("b",))]),
        (facts("b<core", environment=GUESSED), [("warning", "target", ("b",))]),
        (
            facts("b<core")._replace(problems=(ConfigProblem("alembic.ini", 3, "version_locations names a package"),)),
            [("warning", "target", ("b",))],
        ),
        (facts("a", "a; b<x", new=(unreadable("x.py", "dynamic", "x"),)), []),
    ],
    ids=[
        "the target's own",
        "named before",
        "another environment",
        "directories set in code",
        "no configuration",
        "plugin",
        "plugin alone",
        "installed",
        "unreadable",
    ],
)
def test_parents_that_live_elsewhere(given: Facts, expected: list[object]) -> None:
    assert shape(given, Code.MISSING_PARENT) == expected


def test_a_parent_that_an_unreadable_file_may_declare_is_unknown_not_missing() -> None:
    [finding] = found(facts("a", "a; b<x", old=(unreadable("x.py"),)), Code.MISSING_PARENT)
    assert (finding.severity, finding.blinds) == ("error", True)
    assert finding.message == (
        "`b` names `x` as its parent; no file that can be read declares that id, but `versions/x.py` may."
    )


@pytest.mark.parametrize(
    ("kind", "code", "blinds"),
    [
        ("dynamic", Code.DYNAMIC_ID, True),
        ("broken", Code.UNREADABLE_FILE, True),
        ("unreachable", Code.UNREADABLE_FOLDER, True),
        ("not-a-revision", Code.NOT_A_REVISION, False),
    ],
)
def test_unreadable_files(kind: str, code: Code, *, blinds: bool) -> None:
    [finding] = found(facts("a", "a", new=(unreadable("x.py", kind),)), code)
    assert (finding.severity, finding.introduced_by, finding.blinds) == ("error", "head", blinds)
    assert finding.message == "`versions/x.py`, line 3: it is odd."
    [inherited] = found(facts("a", "a; b<a", old=(unreadable("x.py", kind),)), code)
    assert (inherited.severity, inherited.introduced_by, inherited.blinds) == (
        "warning" if blinds else "note",
        "target",
        False,
    )


def test_an_unreadable_file_that_only_moved_is_not_new() -> None:
    moved = unreadable("x.py")._replace(path="versions/old/x.py")
    given = facts("a", "a", old=(unreadable("x.py"),))
    given = given._replace(merged=Graph(given.merged, [moved]))
    assert shape(given, Code.UNREADABLE_FILE) == [("warning", "target", ())]


@pytest.mark.parametrize(
    ("text", "id_", "expected"),
    [("a; b<a", None, ("error", True)), ("a; b<a", "x", ("error", True)), ("a; b<x", "x", ("warning", False))],
    ids=["unknown", "may be a head", "is no head"],
)
def test_alone_an_unreadable_file_blinds_where_it_may_hide_a_head(
    text: str, id_: str | None, expected: tuple[str, bool]
) -> None:
    [finding] = found(facts(text, old=(unreadable("x.py", "dynamic", id_),)), Code.DYNAMIC_ID)
    assert (finding.severity, finding.blinds) == expected


def test_a_changed_parent_is_a_warning() -> None:
    [finding] = found(edited(facts("a; b<a; c<b"), "c", parents=("a",)), Code.HISTORY_EDITED)
    assert (finding.severity, finding.introduced_by, finding.revisions) == ("warning", "head", ("c",))
    assert finding.message.startswith("The parent of `c` was `b`; it now follows `a`. ")


def test_a_revision_put_beneath_a_published_one() -> None:
    [finding] = found(facts("a; b<a", "a; z<a; b<z", "a; z<a; b<z"), Code.HISTORY_EDITED)
    assert (finding.severity, finding.revisions) == ("warning", ("b", "z"))
    assert finding.message == "The parent of `b` was `a`; `z` is put beneath it."


def test_a_removed_revision() -> None:
    [finding] = judge(facts("a; b<a", "a", "a"))
    assert (finding.code, finding.severity, finding.revisions) == (Code.HISTORY_EDITED, "warning", ("b",))
    assert finding.message == (
        '`b` is removed. Databases at it stop with "Can\'t locate revision"; those that never ran it never will.'
    )


def test_a_squash_is_one_warning() -> None:
    text = "; ".join(["r0", *(f"r{n}<r{n - 1}" for n in range(1, 7))])
    [finding] = judge(facts(text, "s", "s"))
    assert finding.message.startswith("7 revisions are removed. Databases at one of them")
    assert len(finding.paths) == 7


def test_an_id_that_got_a_suffix_is_the_prefix_trap() -> None:
    [finding] = found(facts("017; 018<017", "017; 018_step<017", "017; 018_step<017"), Code.HISTORY_EDITED)
    assert "A database at `018` is taken to be at `018_step`, whose id begins the same" in finding.message
    [other] = found(facts("017; 018<017", "017; 019<017", "017; 019<017"), Code.HISTORY_EDITED)
    assert "begins the same" not in other.message


def test_what_became_unreadable_is_not_removed() -> None:
    given = facts("a; b<a", "a", "a", new=(unreadable("b.py"),))
    assert found(given, Code.HISTORY_EDITED) == []


def test_a_changed_body_is_a_note_and_the_order_of_parents_is_no_edit_of_history() -> None:
    given = edited(facts("a; b<a; c<a; m<b,c"), "m", parents=("c", "b"))
    assert shape(given, Code.BODY_CHANGED) == [("note", "head", ("m",))]
    assert found(given, Code.HISTORY_EDITED) == []


def test_a_moved_file_is_no_change() -> None:
    [one] = graph("a")
    given = facts("a", "a")._replace(merged=Graph([one._replace(path="versions/old/a.py")]))
    assert judge(given) == ()


def test_ids_longer_than_the_column() -> None:
    [finding] = judge(facts("a", f"a; {LONG}<a"))
    assert (finding.code, finding.severity) == (Code.ID_TOO_LONG, "error")
    assert finding.message == f"`{LONG}` has 33 characters; `alembic_version` holds 32."
    assert judge(facts("a", f"a; {LONG[1:]}<a")) == ()
    assert judge(facts(f"a; {LONG}<a", f"a; {LONG}<a; {LONG[1:]}y<{LONG}")) == ()
    assert shape(facts(f"a; {LONG}<a"), Code.ID_TOO_LONG) == [("warning", "target", (LONG,))]


def test_ids_longer_than_a_wider_column() -> None:
    wider = facts("a", f"a; {LONG}<a")._replace(id_width=33)
    assert judge(wider) == ()
    [finding] = judge(facts("a", f"a; {LONG}y<a")._replace(id_width=33))
    assert (finding.severity, finding.message) == (
        "error",
        f"`{LONG}y` has 34 characters; `alembic_version` holds 33.",
    )
    [finding] = judge(facts(f"a; {LONG}<a", f"a; {LONG}<a; y{LONG}<{LONG}"))
    assert (finding.severity, finding.message) == (
        "warning",
        f"`y{LONG}` has 34 characters; the longest so far has 33.",
    )


@pytest.mark.parametrize("id_", ["a-b", "a@b", "a+b", "a:b"])
def test_ids_that_alembic_refuses(id_: str) -> None:
    assert shape(facts("a", f"a; {id_}<a"), Code.INVALID_ID) == [("error", "head", (id_,))]
    assert shape(facts(f"a; {id_}<a"), Code.INVALID_ID) == [("warning", "target", (id_,))]
    assert found(facts(f"a; {id_}<a", f"a; {id_}<a; b<{id_}"), Code.INVALID_ID) == []


def test_ids_that_begin_with_another() -> None:
    [finding] = judge(facts("abcd", "abcd; abcdef<abcd"))
    assert (finding.code, finding.severity, finding.revisions) == (Code.AMBIGUOUS_PREFIX, "warning", ("abcd", "abcdef"))
    assert judge(facts("100", "100; 1000<100")) == ()
    assert judge(facts("abcd; abcdef<abcd", "abcd; abcdef<abcd; x<abcdef")) == ()
    # Not only neighbours in the alphabet.
    given = facts("abcd; abcd1<abcd", "abcd; abcd1<abcd; abcd2<abcd1")
    assert shape(given, Code.AMBIGUOUS_PREFIX) == [("warning", "head", ("abcd", "abcd2"))]


def test_competing_merges() -> None:
    given = facts("a; b<a; c<a; m<b,c", "a; b<a; c<a; m<b,c; n<c,b; o<m,n")
    assert shape(given, Code.COMPETING_MERGES) == [("warning", "head", ("m", "n"))]
    assert found(facts("a; b<a; c<a; m<b,c; n<c,b; o<m,n"), Code.COMPETING_MERGES) == []
    assert found(facts("a; b<a; c<a", "a; b<a; c<a; m<b,c"), Code.COMPETING_MERGES) == []


def test_stale_docstrings_of_new_files() -> None:
    given = facts("a", "a; b<a")

    def says(*ids: str) -> Facts:
        return given._replace(merged=Graph(r._replace(revises=ids) if r.id == "b" else r for r in given.merged))

    [finding] = found(says("x", "y"), Code.STALE_REVISES)
    assert finding.severity == "note"
    assert finding.message == "The docstring of `b` says `Revises: x, y`; its `down_revision` is `a`."
    assert found(says("a"), Code.STALE_REVISES) == []
    assert found(given, Code.STALE_REVISES) == []


def test_text_conflicts() -> None:
    [finding] = judge(facts("a", "a")._replace(conflicts=("versions/a.py",)))
    assert (finding.code, finding.severity) == (Code.TEXT_CONFLICT, "note")
    assert finding.message == "Git can't merge `versions/a.py` by itself; both sides' files were judged together."


def test_configurations_that_cannot_be_understood() -> None:
    problem = ConfigProblem("alembic.ini", 3, "script_location is odd")
    given = facts("a", "a")._replace(problems=(problem,))
    [finding] = judge(given)
    assert (finding.code, finding.severity, finding.introduced_by) == (Code.UNREADABLE_CONFIG, "warning", "head")
    assert finding.message == "`alembic.ini`, line 3: script_location is odd."
    [old] = judge(given._replace(old_problems=(problem,)))
    assert (old.severity, old.introduced_by) == ("note", "target")


def test_a_configuration_that_was_not_read_blinds_where_the_branch_brings_it() -> None:
    problem = ConfigProblem("alembic.ini", 0, "it is too large", unread=True)
    given = facts("a", "a")._replace(problems=(problem,))
    [finding] = judge(given)
    assert (finding.code, finding.severity, finding.blinds) == (Code.UNREADABLE_CONFIG, "error", True)
    [old] = judge(given._replace(old_problems=(problem,)))
    assert (old.severity, old.blinds) == ("note", False)
    [homeless] = configuration_findings([problem], [], alone=False)
    assert (homeless.severity, homeless.introduced_by, homeless.blinds) == ("error", "head", True)
    for alone, known in ((False, [problem]), (True, [])):
        [homeless] = configuration_findings([problem], known, alone=alone)
        assert (homeless.introduced_by, homeless.blinds) == ("target", False)


def test_the_worst_comes_first() -> None:
    given = facts("a; b<a", f"a; c<a; {LONG}<gone; abcd; abcdef<c", new=(unreadable("x.py"),))
    severities = [finding.severity for finding in judge(given)]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert next(finding.code for finding in judge(given)) is Code.COLLISION


def test_every_code_is_explained_in_full_sentences() -> None:
    assert set(KINDS) == set(Code)
    assert all(kind.meaning.endswith(".") and kind.hint.endswith(".") for kind in KINDS.values())
    blinding = {code for code, kind in KINDS.items() if kind.blinds}
    assert blinding == {Code.DYNAMIC_ID, Code.UNREADABLE_FILE, Code.UNREADABLE_FOLDER}
    assert ENVIRONMENT.certain


def test_a_parent_that_the_branch_removes_is_missed_even_where_another_environment_has_a_copy() -> None:
    given = facts("a; b<a; c<b", "a; b<a; c<b", "a; c<b")._replace(elsewhere=frozenset({"a", "b", "c"}))
    [(severity, side, revisions)] = shape(given, Code.MISSING_PARENT)
    assert (severity, side, revisions) == ("error", "head", ("b", "c"))
