"""Which open pull requests get in each other's way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onehead.plan.findings import Facts
from onehead.plan.rivals import Brought, Contender, MergeStep, Rival, RivalConflict, brought, merge_order, rivals
from onehead.revisions.graph import Graph
from onehead.revisions.model import Environment, Revision


def revision(id_: str, *parents: str, blob: str = "", labels: tuple[str, ...] = ()) -> Revision:
    return Revision(id_, parents, f"versions/{id_}_x.py", blob or f"blob-{id_}", branch_labels=labels)


def bring(number: int, *revisions: Revision, numbered: int | None = None) -> Contender:
    return Contender(number, tuple(Brought("alembic", each, numbered) for each in revisions))


def test_two_that_start_from_the_same_parent_are_told_of_each_other() -> None:
    found = rivals([bring(3, revision("a", "018")), bring(5, revision("b", "018")), bring(7, revision("c", "017"))])
    assert found == {
        3: (Rival(5, RivalConflict.PARENT, "alembic", "018"),),
        5: (Rival(3, RivalConflict.PARENT, "alembic", "018"),),
    }


def test_two_that_each_start_a_chain_are_rivals() -> None:
    found = rivals([bring(1, revision("a")), bring(2, revision("b"))])
    assert found[1] == (Rival(2, RivalConflict.PARENT, "alembic", ""),)


def test_the_same_id_with_another_content_is_the_worst_clash() -> None:
    one, other = revision("019", "018", blob="x"), revision("019", "018", blob="y")
    found = rivals([bring(3, one), bring(5, other)])
    assert found[5] == (Rival(3, RivalConflict.ID, "alembic", "019"),)


def test_a_branch_built_upon_another_is_no_rival_of_it() -> None:
    below, above = revision("019", "018"), revision("020", "019")
    assert rivals([bring(1, below), bring(2, below, above)]) == {}


def test_whoever_has_joined_the_other_side_already_is_no_rival() -> None:
    theirs, mine, joint = revision("019", "018"), revision("020", "018"), revision("021", "019", "020")
    assert rivals([bring(1, theirs), bring(2, theirs, mine, joint)]) == {}


def test_two_merges_of_the_same_heads_compete() -> None:
    found = rivals([bring(1, revision("m", "019", "020")), bring(2, revision("n", "019", "020"))])
    assert found[1] == (Rival(2, RivalConflict.PARENT, "alembic", "019"),)


def test_branches_with_labels_of_their_own_are_meant_to_part() -> None:
    one, other = revision("a", "018", labels=("billing",)), revision("b", "018", labels=("stats",))
    assert rivals([bring(1, one), bring(2, other)]) == {}


def test_the_same_number_in_two_names_is_a_clash_of_its_own() -> None:
    found = rivals([bring(1, revision("a", "018"), numbered=19), bring(2, revision("b", "017"), numbered=19)])
    assert found[2] == (Rival(1, RivalConflict.NUMBER, "alembic", "19"),)


def test_the_worst_comes_first_and_the_oldest_among_equals() -> None:
    same = [bring(number, revision(f"r{number}", "018")) for number in (9, 4, 6)]
    found = rivals([*same, bring(8, revision("r4", "016", blob="other"))])
    assert [(rival.number, rival.clash) for rival in found[4]] == [
        (8, RivalConflict.ID),
        (6, RivalConflict.PARENT),
        (9, RivalConflict.PARENT),
    ]


def test_environments_do_not_get_in_each_others_way() -> None:
    one = Contender(1, (Brought("billing", revision("a", "018"), None),))
    other = Contender(2, (Brought("stats", revision("b", "018"), None),))
    assert rivals([one, other]) == {}


def facts(target: Graph, merged: Graph) -> Facts:
    return Facts(Environment("alembic", "alembic.ini", "alembic", "alembic", ()), target, merged, merged)


def named(id_: str, name: str, *parents: str) -> Revision:
    return Revision(id_, parents, f"versions/{name}.py", f"blob-{id_}")


def test_a_branch_brings_what_the_target_lacks_with_the_number_of_its_file() -> None:
    target = Graph([named("a", "0017_x"), named("b", "0018_y", "a")])
    mine = named("c", "0019_z", "b")
    assert brought(facts(target, Graph([*target, mine]))) == (Brought("alembic", mine, 19),)


def test_dates_hashes_and_lower_numbers_are_no_numbers() -> None:
    target = Graph([named("a", "0017_x"), named("b", "0018_y", "a")])
    for name in ("2024_05_01_z", "3f2a9c_z", "0003_z"):
        mine = named("c", name, "b")
        assert brought(facts(target, Graph([*target, mine]))) == (Brought("alembic", mine, None),)


def clash(number: int, *others: int, kind: RivalConflict = RivalConflict.PARENT) -> dict[int, tuple[Rival, ...]]:
    return {number: tuple(Rival(other, kind, "alembic", "018") for other in others)}


def test_what_the_fewest_clash_with_is_merged_first() -> None:
    found = clash(1, 2, 3, 4) | clash(2, 1) | clash(3, 1) | clash(4, 1)
    assert merge_order(found) == ((MergeStep(2, ()), MergeStep(3, ()), MergeStep(4, ()), MergeStep(1, (2, 3, 4))),)


def test_of_equals_the_oldest_is_merged_first() -> None:
    assert merge_order(clash(5, 3) | clash(3, 5)) == ((MergeStep(3, ()), MergeStep(5, (3,))),)


def test_each_group_has_an_order_of_its_own() -> None:
    found = clash(9, 2) | clash(2, 9) | clash(4, 3) | clash(3, 4)
    assert [[step.number for step in group] for group in merge_order(found)] == [[2, 9], [3, 4]]
    assert merge_order({}) == ()


def test_of_two_revisions_under_one_id_the_older_goes_first() -> None:
    found = clash(1, 2, 3) | clash(2, 1) | clash(3, 1)
    assert merge_order(found)[0][-1] == MergeStep(1, (2, 3))
    same_id = clash(1, 2, 3, kind=RivalConflict.ID)
    assert merge_order(same_id)[0][0] == MergeStep(1, ())


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from(RivalConflict)), max_size=30))
def test_an_order_names_everybody_once_and_all_that_come_before(pairs: list[tuple[int, int, RivalConflict]]) -> None:
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    found: dict[int, tuple[Rival, ...]] = {}
    for one, other, kind in pairs:
        found[one] = (*found.get(one, ()), Rival(other, kind, "", ""))
    steps = [step for group in merge_order(found) for step in group]
    place = {step.number: number for number, step in enumerate(steps)}

    assert sorted(place) == sorted({number for one, other, _ in pairs for number in (one, other)})
    assert len(place) == len(steps)
    for one, other, kind in pairs:
        first, second = sorted((one, other), key=place.__getitem__)
        assert first in steps[place[second]].after
        if kind is RivalConflict.ID:
            assert first == min(one, other)
    assert all(place[before] < place[step.number] for step in steps for before in step.after)
    assert all(group[0].after == () for group in merge_order(found))
