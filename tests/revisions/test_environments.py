"""Which directories form one environment, by the ids in them; every chain here was made up for its test."""

from onehead.revisions.environments import Settled, may_be_guessed, settle, unconfigured
from onehead.revisions.model import Environment, Location, Revision, Unreadable


def rev(path: str, *parents: str, depends_on: tuple[str, ...] = (), labels: tuple[str, ...] = ()) -> Revision:
    """A revision whose id is its file's stem."""
    name = path.rpartition("/")[2].removesuffix(".py")
    return Revision(name, parents, path, "0" * 40, depends_on, labels)


def dynamic(path: str) -> Unreadable:
    return Unreadable(path, "0" * 40, 3, "down_revision is computed", None, "dynamic")


def open_environment(path: str = "db/versions") -> Environment:
    return Environment(path, "alembic.ini", "alembic", "db", (Location(path, None),))


def places(environment: Environment) -> list[str]:
    assert [place.recursive for place in environment.locations] == [False] * len(environment.locations)
    return [place.path for place in environment.locations]


def settled(*found: Revision | Unreadable) -> tuple[list[tuple[str, list[str]]], tuple[str, ...]]:
    result = settle(open_environment(), found)
    assert settle(open_environment(), reversed(found)) == result
    return [(one.path, places(one)) for one in result.environments], result.left_out


def test_what_a_configuration_says_is_not_questioned() -> None:
    environment = Environment("v", "alembic.ini", "alembic", "db", (Location("v", recursive=True),))
    assert settle(environment, [rev("v/a.py"), rev("v/x/b.py")]) == Settled((environment,), ())


def test_without_sub_folders_only_the_location_counts() -> None:
    assert settled(rev("db/versions/a.py"), rev("db/versions/b.py", "a")) == (
        [("db/versions", ["db/versions"])],
        (),
    )


def test_an_environment_without_revisions_stays() -> None:
    assert settled() == ([("db/versions", ["db/versions"])], ())


def test_linked_sub_folders_belong_and_unlinked_ones_stay_out() -> None:
    assert settled(
        rev("db/versions/base.py"),
        rev("db/versions/one/expand/e1.py", "base"),
        rev("db/versions/one/contract/c1.py", "base"),
        rev("db/versions/two/expand/e2.py", "e1"),
        rev("db/versions/three/x.py", depends_on=("c1",)),
        rev("db/versions/legacy/l1.py"),
        rev("db/versions/legacy/l2.py", "l1"),
        rev("db/versions/other/o.py", "not here"),
    ) == (
        [
            (
                "db/versions",
                [
                    "db/versions",
                    "db/versions/one/contract",
                    "db/versions/one/expand",
                    "db/versions/three",
                    "db/versions/two/expand",
                ],
            )
        ],
        ("db/versions/legacy", "db/versions/other"),
    )


def test_the_location_may_stand_on_a_sub_folder() -> None:
    assert settled(rev("db/versions/2023/a.py"), rev("db/versions/b.py", "a")) == (
        [("db/versions", ["db/versions", "db/versions/2023"])],
        (),
    )


def test_a_dependency_may_be_named_by_its_label() -> None:
    assert settled(rev("db/versions/a.py", labels=("core",)), rev("db/versions/plugin/p.py", depends_on=("core",))) == (
        [("db/versions", ["db/versions", "db/versions/plugin"])],
        (),
    )


def test_what_cannot_be_read_for_its_parents_belongs() -> None:
    assert settled(rev("db/versions/a.py"), dynamic("db/versions/x/d.py")) == (
        [("db/versions", ["db/versions", "db/versions/x"])],
        (),
    )


def test_what_is_no_revision_does_not_count() -> None:
    broken = Unreadable("db/versions/help/h.py", "0" * 40, 1, "declares no revision", None, "not-a-revision")
    assert settled(rev("db/versions/a.py"), broken) == ([("db/versions", ["db/versions"])], ())


def test_without_direct_revisions_all_sub_folders_belong() -> None:
    assert settled(rev("db/versions/2023/a.py"), rev("db/versions/2024/b.py", "a"), rev("db/versions/side/s.py")) == (
        [("db/versions", ["db/versions", "db/versions/2023", "db/versions/2024", "db/versions/side"])],
        (),
    )


def test_copies_for_two_databases_are_two_environments() -> None:
    assert settled(
        rev("db/versions/postgresql/a.py"),
        rev("db/versions/postgresql/b.py", "a"),
        rev("db/versions/sqlite/a.py"),
        rev("db/versions/sqlite/c.py", "a"),
    ) == (
        [
            ("db/versions/postgresql", ["db/versions/postgresql"]),
            ("db/versions/sqlite", ["db/versions/sqlite"]),
        ],
        (),
    )


def test_copies_with_sub_folders_link_with_their_own_kind() -> None:
    assert settled(
        rev("db/versions/pg/2023/a.py"),
        rev("db/versions/pg/2024/b.py", "a"),
        rev("db/versions/sqlite/2023/a.py"),
        rev("db/versions/sqlite/2024/b.py", "a"),
    ) == (
        [
            ("db/versions/pg", ["db/versions/pg", "db/versions/pg/2023", "db/versions/pg/2024"]),
            ("db/versions/sqlite", ["db/versions/sqlite", "db/versions/sqlite/2023", "db/versions/sqlite/2024"]),
        ],
        (),
    )


def test_a_copied_id_in_a_linked_sub_folder_is_a_duplicate_and_no_second_environment() -> None:
    assert settled(
        rev("db/versions/2023/a.py"),
        rev("db/versions/2024/a.py"),
        rev("db/versions/2023/b.py", "a"),
        rev("db/versions/2024/c.py", "b"),
    ) == ([("db/versions", ["db/versions", "db/versions/2023", "db/versions/2024"])], ())


def test_names_of_copies_never_clash() -> None:
    environments, _ = settled(
        rev("db/versions/x/a.py"),
        rev("db/versions/x/deep/a.py"),
        rev("db/versions/y/1/a.py"),
        rev("db/versions/y/2/b.py", "a"),
    )
    assert environments == [
        ("db/versions/x", ["db/versions/x"]),
        ("db/versions/x/deep", ["db/versions/x/deep"]),
        ("db/versions/y", ["db/versions/y", "db/versions/y/1", "db/versions/y/2"]),
    ]


# --- nothing declares it --------------------------------------------------------------------------------


def guesses(*found: Revision | Unreadable) -> list[tuple[str, list[str]]]:
    result = unconfigured(found)
    assert unconfigured(reversed(found)) == result
    assert all(not one.certain and one.config is None for one in result)
    return [(one.path, places(one)) for one in result]


def test_two_revisions_make_an_environment() -> None:
    assert guesses(rev("pkg/changes/a.py"), rev("pkg/changes/b.py", "elsewhere")) == [("pkg/changes", ["pkg/changes"])]


def test_parents_in_other_packages_are_no_reason_to_join() -> None:
    assert guesses(
        rev("one/alembic/a.py", "core"),
        rev("one/alembic/b.py", "a"),
        rev("two/alembic/c.py", "b"),
        rev("two/alembic/d.py"),
    ) == [("one/alembic", ["one/alembic"]), ("two/alembic", ["two/alembic"])]


def test_one_revision_is_believed_as_a_base_in_a_directory_with_a_telling_name() -> None:
    assert guesses(rev("pkg/alembic/a.py")) == [("pkg/alembic", ["pkg/alembic"])]
    assert guesses(rev("pkg/Versions/a.py")) == [("pkg/Versions", ["pkg/Versions"])]
    assert guesses(rev("pkg/changes/a.py")) == []
    assert guesses(rev("pkg/alembic/a.py", "core")) == []
    assert guesses(dynamic("pkg/alembic/a.py")) == []


def test_computed_parents_count() -> None:
    assert guesses(dynamic("pkg/changes/a.py"), dynamic("pkg/changes/b.py")) == [("pkg/changes", ["pkg/changes"])]


def test_all_of_one_versions_is_one_environment() -> None:
    assert guesses(
        rev("pkg/versions/one/expand/a.py"), rev("pkg/versions/one/contract/b.py"), rev("pkg/versions/two/c.py", "a")
    ) == [
        (
            "pkg/versions",
            ["pkg/versions", "pkg/versions/one/contract", "pkg/versions/one/expand", "pkg/versions/two"],
        )
    ]


def test_copies_below_one_versions_are_apart() -> None:
    assert guesses(
        rev("v/versions/pg/a.py"),
        rev("v/versions/pg/b.py", "a"),
        rev("v/versions/lite/a.py"),
        rev("v/versions/lite/c.py", "a"),
    ) == [("v/versions/lite", ["v/versions/lite"]), ("v/versions/pg", ["v/versions/pg"])]


def test_an_unlinked_sub_folder_is_an_environment_of_its_own() -> None:
    assert guesses(
        rev("pkg/alembic/a.py"),
        rev("pkg/alembic/2024/b.py", "a"),
        rev("pkg/alembic/old/x.py"),
        rev("pkg/alembic/old/y.py", "x"),
    ) == [
        ("pkg/alembic", ["pkg/alembic", "pkg/alembic/2024"]),
        ("pkg/alembic/old", ["pkg/alembic/old"]),
    ]


def test_the_top_of_the_repository_does_not_swallow_the_rest() -> None:
    assert guesses(rev("a.py"), rev("b.py", "a"), rev("x/c.py", "b"), rev("x/d.py", "c")) == [("", [""]), ("x", ["x"])]


def test_tests_and_examples_are_not_guessed() -> None:
    assert guesses(rev("tests/data/versions/a.py"), rev("docs/alembic/a.py")) == []
    assert [may_be_guessed(path) for path in ("", "app/versions", "Tests/versions", "venv/x", "latest/versions")] == [
        True,
        True,
        False,
        False,
        True,
    ]
