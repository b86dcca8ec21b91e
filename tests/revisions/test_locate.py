"""Environments from file names and configurations; every tree here was made up for its test."""

from collections.abc import Iterable, Mapping
from textwrap import dedent

import pytest

from onehead.examine.probe import may_hold_environments
from onehead.gitrepo.tree import Contents, Entry
from onehead.revisions.config import MAX_CONFIGS
from onehead.revisions.environments import FileIndex
from onehead.revisions.locate import MAX_WRITTEN, Located, locate
from onehead.revisions.model import ConfigProblem, Environment, Location
from onehead.revisions.path_hints import is_revision_file

INI = "[alembic]\nscript_location = {}\n"


def found(configs: dict[str, str], *others: str) -> Located:
    """Locate in a tree of these configurations and these other files.

    Whatever is found, who only looks at paths and configurations must have seen that there may be something.
    """
    contents = {path: dedent(text).encode() for path, text in configs.items()}
    located = locate(FileIndex([*configs, *others]), contents)
    if located.environments or located.problems or located.candidates:
        assert is_suspected(contents, others)
    return located


def is_suspected(configs: Mapping[str, bytes], others: Iterable[str]) -> bool:
    """Whether a tree of these configurations and these other files would be examined."""
    files = {Entry(path, "100644", path) for path in (*configs, *others)}
    return may_hold_environments(files, lambda paths: Contents({path: configs[path] for path in paths}, {}))


def only(located: Located) -> Environment:
    """The one environment that there is; how Alembic is run for it has tests of its own."""
    assert located.problems == ()
    (environment,) = located.environments
    return environment._replace(run_from="", by_flask=False)


def script(folder: str, *versions: str) -> list[str]:
    """The files of a script directory with these revision files."""
    lead = f"{folder}/" if folder else ""
    return [f"{lead}env.py", f"{lead}script.py.mako", *(f"{lead}versions/{name}" for name in versions)]


def env(
    script_location: str | None,
    config: str | None = "alembic.ini",
    section: str | None = "alembic",
    locations: tuple[Location, ...] = (),
) -> Environment:
    places = locations or (Location(f"{script_location}/versions" if script_location else "versions", None),)
    return Environment(places[0].path, config, section, script_location, places)


# --- script_location ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "written", "folder"),
    [
        ("alembic.ini", "alembic", "alembic"),
        ("backend/alembic.ini", "alembic", "backend/alembic"),
        ("backend/alembic.ini", "backend/alembic", "backend/alembic"),
        ("api/src/db/alembic.ini", "src/db/migrations", "api/src/db/migrations"),
        ("conf/alembic.ini", "app/migrations", "app/migrations"),
        ("conf/alembic.ini", "../app/migrations/", "app/migrations"),
        ("conf/alembic.ini", "./app//migrations", "app/migrations"),
        ("db/alembic.ini", "%(here)s/migrations", "db/migrations"),
        ("db/alembic.ini", "%(here)s/../store/migrations", "store/migrations"),
        ("db/alembic.ini", "%(here)s", "db"),
        ("db/alembic.ini", "%(here)s/", "db"),
        ("db/alembic.ini", ".", "db"),
        ("alembic.ini", "shop:migrations", "shop/migrations"),
        ("alembic.ini", "shop:migrations", "src/shop/migrations"),
        ("alembic.ini", "shop.db:migrations", "src/shop/db/migrations"),
        ("alembic.ini", "shop:db:migrations", "src/shop/db/migrations"),
        ("src/shop/alembic.ini", "shop:db/core", "src/shop/db/core"),
        ("configs/shop/alembic.ini", "ai.shop.models:alembic", "lib/python/ai/shop/models/alembic"),
        ("server/alembic.ini", "shop.server:migrations", "server/shop/server/migrations"),
        ("alembic.ini", "shop:migrations", "migrations"),
        ("alembic.ini", "/app/migrations", "migrations"),
        ("api/pg/core/alembic.ini", "/app/pg/core", "api/pg/core"),
        ("docker/alembic.ini", "/srv/shop/db/migrations", "db/migrations"),
        ("alembic.ini", "~/shop/migrations", "migrations"),
        ("alembic.ini", "C:\\work\\shop\\migrations", "migrations"),
        ("alembic.ini", "app\\db\\migrations", "app/db/migrations"),
        ("alembic.ini", "${APP_HOME}/migrations", "migrations"),
        ("deploy/alembic.ini", "{{ app.root }}/db/migrations", "db/migrations"),
        ("alembic.ini", "%(root)s/migrations", "migrations"),
        ("alembic.ini", '"migrations"', "migrations"),
        ("alembic.ini", "Migrations", "migrations"),
        ("db/alembic.ini", "%(here)s/Alembic", "db/alembic"),
        ("tools/alembic.ini", "migrations", "service/migrations"),
    ],
)
def test_script_location_is_found(config: str, written: str, folder: str) -> None:
    located = found({config: INI.format(written)}, *script(folder, "a.py"), "setup.py", "docs/x.md")
    assert only(located) == env(folder, config)


def test_the_directory_that_looks_like_an_environment_wins() -> None:
    files = ["backend/migrations/0001_initial.py", *script("migrations", "a.py")]
    located = found({"backend/alembic.ini": INI.format("migrations")}, *files)
    assert only(located) == env("migrations", "backend/alembic.ini")


def test_the_ini_s_own_directory_comes_before_the_top() -> None:
    located = found({"b/alembic.ini": INI.format("alembic")}, *script("alembic", "a.py"), *script("b/alembic", "a.py"))
    assert [(one.path, one.config) for one in located.environments] == [
        ("alembic/versions", None),
        ("b/alembic/versions", "b/alembic.ini"),
    ]


def test_of_two_equally_near_directories_none_is_taken() -> None:
    located = found({"alembic.ini": INI.format("db")}, *script("a/db", "a.py"), *script("b/db", "b.py"))
    assert [(one.path, one.config) for one in located.environments] == [
        ("a/db/versions", None),
        ("b/db/versions", None),
    ]
    assert [problem.line for problem in located.problems] == [2]


def test_the_package_nearest_to_the_configuration_wins() -> None:
    files = [*script("one/lib/shop/migrations", "a.py"), *script("two/lib/shop/migrations", "a.py")]
    located = found({"two/etc/alembic.ini": INI.format("shop:migrations")}, *files)
    assert [(one.path, one.config) for one in located.environments] == [
        ("one/lib/shop/migrations/versions", None),
        ("two/lib/shop/migrations/versions", "two/etc/alembic.ini"),
    ]


def test_a_new_environment_without_revisions_is_kept() -> None:
    located = found({"alembic.ini": INI.format("alembic")}, "alembic/env.py", "alembic/script.py.mako")
    assert only(located) == env("alembic")
    assert FileIndex(["alembic/env.py"]).files_of(only(located)) == []


def test_a_directory_that_merely_exists_will_do() -> None:
    assert only(found({"alembic.ini": INI.format("alembic")}, "alembic/README")) == env("alembic")


def test_a_script_location_that_leads_nowhere_is_told() -> None:
    located = found({"etc/alembic.ini": "\n[alembic]\nscript_location = /usr/share/shop/alembic\n"}, "shop/x.py")
    assert located.environments == ()
    assert located.problems == (
        ConfigProblem(
            "etc/alembic.ini",
            3,
            "script_location = /usr/share/shop/alembic is no directory of this repository,"
            " so its revisions are not watched; correct the path",
        ),
    )


@pytest.mark.parametrize("written", ["../../out", "%(here)s/../../out", "${WHERE}", "/", "~", ":", "a:", "/app"])
def test_a_script_location_outside_of_the_repository_is_told(written: str) -> None:
    located = found({"db/alembic.ini": INI.format(written)}, "out/env.txt")
    assert located.environments == ()
    assert [(problem.path, problem.line) for problem in located.problems] == [("db/alembic.ini", 2)]


def test_a_file_in_the_place_of_a_directory_is_named() -> None:
    (problem,) = found({"alembic.ini": INI.format("libs/db/alembic")}, "libs/db").problems
    assert problem.reason == (
        "script_location = libs/db/alembic is no directory of this repository"
        " (libs/db is a file), so its revisions are not watched; correct the path"
    )


def linked(links: dict[str, str | None], ini: str, *others: str) -> Environment:
    """The only environment of a tree with links (path → text) and submodules (path → `None`)."""
    return only(locate(FileIndex(["alembic.ini", *links, *others], links), {"alembic.ini": ini.encode()}))


@pytest.mark.parametrize(
    "links",
    [
        {"alembic/versions": "../db/revs"},
        {"alembic/versions": "../link", "link": "db/revs"},
        {"alembic/versions": "../link/revs", "link": "./db/"},
    ],
)
def test_a_linked_version_directory_is_followed(links: dict[str, str | None]) -> None:
    environment = linked(links, INI.format("alembic"), "alembic/env.py", "db/revs/a.py")
    assert environment == env("alembic", locations=(Location("db/revs", None),))


def test_a_linked_script_directory_is_followed() -> None:
    environment = linked({"alembic": "backend/alembic"}, INI.format("alembic"), *script("backend/alembic", "a.py"))
    assert environment == env("backend/alembic")


@pytest.mark.parametrize(
    ("links", "blocked"),
    [
        ({"alembic/versions": None}, "alembic/versions"),
        ({"alembic/versions": "/srv/revs"}, "alembic/versions"),
        ({"alembic/versions": "../../revs"}, "alembic/versions"),
        ({"alembic/versions": "nowhere"}, "alembic/versions"),
        ({"alembic/versions": "../x", "x": None}, "x"),
        ({"alembic/versions": "../x", "x": "alembic/versions"}, "alembic/versions"),
    ],
    ids=["submodule", "absolute", "outside", "nowhere", "link to a submodule", "circle"],
)
def test_a_version_directory_that_cannot_be_followed_is_marked(links: dict[str, str | None], blocked: str) -> None:
    environment = linked(links, INI.format("alembic"), "alembic/env.py")
    assert environment == env("alembic", locations=(Location("alembic/versions", recursive=False, blocked=blocked),))


@pytest.mark.parametrize("links", [{"alembic": None}, {"alembic": "/srv/alembic"}])
def test_a_script_directory_that_cannot_be_followed_is_marked(links: dict[str, str | None]) -> None:
    paths = ["alembic.ini", *links, *script("other/alembic", "a.py")]
    located = locate(FileIndex(paths, links), {"alembic.ini": INI.format("alembic").encode()})
    [environment] = [one for one in located.environments if one.config]
    assert environment.locations == (Location("alembic/versions", recursive=False, blocked="alembic"),)


def test_a_submodule_below_a_recursive_directory_is_marked() -> None:
    ini = INI.format("alembic") + "recursive_version_locations = true\n"
    environment = linked({"alembic/versions/lib": None, "alembic/versions/x": "../y"}, ini, *script("alembic", "a.py"))
    assert environment.locations == (
        Location("alembic/versions", recursive=True),
        Location("alembic/versions/lib", recursive=True, blocked="alembic/versions/lib"),
    )


def test_version_locations_are_followed_too() -> None:
    ini = INI.format("alembic") + "version_locations = one two\n"
    environment = linked({"one": "real", "two": None}, ini, "alembic/env.py", "real/a.py")
    assert environment.locations == (
        Location("real", recursive=False),
        Location("two", recursive=False, blocked="two"),
    )


def test_flask_migrate_means_the_directory_of_its_ini() -> None:
    text = "[alembic]\nfile_template = %%(rev)s\n"
    environment = only(found({"migrations/alembic.ini": text}, *script("migrations", "a.py")))
    assert environment == Environment(
        "migrations/versions",
        "migrations/alembic.ini",
        "alembic",
        "migrations",
        (Location("migrations/versions", None),),
        file_template="%(rev)s",
    )


def test_an_ini_without_script_location_and_without_env_py_is_told() -> None:
    located = found({"alembic.ini": "[alembic]\ntimezone = UTC\n"}, *script("db", "a.py"))
    assert located.environments == (env("db", None, None),)
    assert [(problem.path, problem.line) for problem in located.problems] == [("alembic.ini", 1)]
    assert located.problems[0].reason.startswith("[alembic] names no script_location")


# --- several declarations -------------------------------------------------------------------------------


def test_two_sections_are_two_environments() -> None:
    text = """\
        [core]
        script_location = shop:core
        [tenant]
        script_location = shop:tenant
        """
    located = found({"alembic.ini": text}, *script("shop/core", "a.py"), *script("shop/tenant", "a.py"))
    assert located.environments == (
        env("shop/core", section="core"),
        env("shop/tenant", section="tenant"),
    )


def test_the_same_environment_declared_twice_is_one() -> None:
    configs = {
        "etc/test/alembic.ini": INI.format("db"),
        "z.alembic.ini": INI.format("db"),
        "alembic.ini.sample": INI.format("db"),
        "b.ini": "[alembic]\nscript_location = %(here)s/db\ntimezone = UTC\n[alembic:test]\nscript_location = ./db\n",
    }
    environment = only(found(configs, *script("db", "a.py")))
    assert (environment.config, environment.section, environment.timezone) == ("b.ini", "alembic", "UTC")


def test_a_sample_declares_when_nothing_else_does_and_is_never_a_problem() -> None:
    configs = {"db/alembic.ini.sample": INI.format("main"), "etc/alembic.ini.template": "[alembic]\n{{ x }}\n"}
    assert only(found(configs, *script("db/main", "a.py"))) == env("db/main", "db/alembic.ini.sample")


def test_one_script_directory_with_several_chains() -> None:
    configs = {
        "rdr/alembic.ini": INI.format("alembic"),
        "rdr/alembic_nph.ini": INI.format("alembic") + "version_locations = %(here)s/alembic/nph/versions\n",
    }
    located = found(configs, *script("rdr/alembic", "a.py"), "rdr/alembic/nph/versions/n.py")
    assert located.problems == ()
    assert located.environments == (
        env(
            "rdr/alembic",
            "rdr/alembic_nph.ini",
            locations=(Location("rdr/alembic/nph/versions", recursive=False),),
        )._replace(run_from="rdr"),
        env("rdr/alembic", "rdr/alembic.ini")._replace(run_from="rdr"),
    )


def test_a_part_of_a_chain_is_no_other_chain() -> None:
    configs = {
        "alembic.ini": INI.format("db"),
        "full.alembic.ini": INI.format("db") + "version_locations = db/versions plugins/versions\n",
    }
    environment = only(found(configs, *script("db", "a.py"), "plugins/versions/p.py"))
    assert environment.config == "full.alembic.ini"
    assert [place.path for place in environment.locations] == ["db/versions", "plugins/versions"]


def test_names_stay_unique_when_chains_overlap() -> None:
    configs = {
        "a.alembic.ini": INI.format("db") + "version_locations = db/versions a/versions\n",
        "b.alembic.ini": INI.format("db") + "version_locations = db/versions b/versions\n",
    }
    located = found(configs, *script("db", "x.py"), "a/versions/a.py", "b/versions/b.py")
    assert [(one.path, [place.path for place in one.locations]) for one in located.environments] == [
        ("b/versions", ["b/versions", "db/versions"]),
        ("db/versions", ["db/versions", "a/versions"]),
    ]


# --- version_locations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("version_locations = db/versions, ext/one ext/two", ["db/versions", "ext/one", "ext/two"]),
        ("path_separator = os\nversion_locations = db/versions:ext/one", ["db/versions", "ext/one"]),
        ("path_separator = os\nversion_locations = db\\versions;ext\\one", ["db/versions", "ext/one"]),
        ("version_path_separator = ;\nversion_locations = ext/one;ext/two", ["ext/one", "ext/two"]),
        ("path_separator = space\nversion_locations = ext/one  ext/two", ["ext/one", "ext/two"]),
        (
            "path_separator = newline\nversion_locations =\n  %(here)s/ext/one\n  ext:two\n",
            ["ext/one", "ext/two"],
        ),
        ("version_locations = %(script_location)s/versions /srv/app/ext/two", ["db/versions", "ext/two"]),
    ],
)
def test_version_locations_replace_the_default(lines: str, expected: list[str]) -> None:
    files = [*script("db", "a.py"), "ext/one/b.py", "ext/two/c.py"]
    environment = only(found({"alembic.ini": INI.format("db") + lines + "\n"}, *files))
    assert environment.locations == tuple(Location(place, recursive=False) for place in expected)
    assert environment.path == expected[0]


def test_a_version_location_that_is_not_there_yet_is_kept() -> None:
    text = INI.format("db") + "version_locations = %(script_location)s/new\n"
    environment = only(found({"alembic.ini": text}, "db/env.py"))
    assert environment.locations == (Location("db/new", recursive=False),)


def test_a_version_location_outside_of_the_repository_is_told() -> None:
    text = INI.format("db") + "version_locations = db/versions ../other/versions /opt/plugin/revs\n"
    located = found({"alembic.ini": text}, *script("db", "a.py"))
    assert [one.locations for one in located.environments] == [(Location("db/versions", recursive=False),)]
    assert [problem.reason[:50] for problem in located.problems] == [
        "version_locations names ../other/versions, which i",
        "version_locations names /opt/plugin/revs, which is",
    ]


def test_versions_of_one_s_own_for_a_script_directory_of_a_package() -> None:
    text = INI.format("installed_plugin:alembic") + "version_locations = %(here)s/versions\n"
    located = found({"db/alembic.ini": text}, "db/versions/a.py")
    place = env(None, "db/alembic.ini", locations=(Location("db/versions", recursive=False),))
    assert located.environments == (place._replace(run_from="db"),)
    assert len(located.problems) == 1


@pytest.mark.parametrize(
    ("line", "recursive"),
    [("", None), ("recursive_version_locations = true", True), ("recursive_version_locations = false", False)],
)
def test_recursive(line: str, recursive: bool | None) -> None:
    environment = only(found({"alembic.ini": INI.format("db") + line + "\n"}, *script("db", "2024/a.py")))
    assert environment.locations == (Location("db/versions", recursive),)


# --- pyproject.toml -------------------------------------------------------------------------------------


def test_pyproject_alone() -> None:
    text = '[tool.alembic]\nscript_location = "%(here)s/alembic"\nrecursive_version_locations = false\n'
    environment = only(found({"app/pyproject.toml": text}, *script("app/alembic", "a.py")))
    assert environment == env(
        "app/alembic", "app/pyproject.toml", "tool.alembic", (Location("app/alembic/versions", recursive=False),)
    )


def test_the_ini_beside_a_pyproject_is_asked_first() -> None:
    configs = {
        "alembic.ini": "[alembic]\ntimezone = UTC\n",
        "pyproject.toml": (
            '[tool.alembic]\nscript_location = "db"\ntimezone = "CET"\nfile_template = "%%(rev)s"\n'
            'version_locations = ["db/versions", "more"]\n'
        ),
    }
    environment = only(found(configs, *script("db", "a.py"), "more/b.py"))
    assert environment == Environment(
        "db/versions",
        "alembic.ini",
        "alembic",
        "db",
        (Location("db/versions", recursive=False), Location("more", recursive=False)),
        "%(rev)s",
        "UTC",
    )


def test_a_pyproject_that_only_adds_to_the_ini_is_no_problem() -> None:
    configs = {"alembic.ini": INI.format("db"), "pyproject.toml": '[tool.alembic]\nversion_locations = ["v"]\n'}
    environment = only(found(configs, "db/env.py", "v/a.py"))
    assert [place.path for place in environment.locations] == ["v"]


# --- without a configuration ----------------------------------------------------------------------------


def test_env_py_speaks_for_itself() -> None:
    files = ["a/env.py", "a/script.py.mako", "b/env.py", "b/versions/x.py", "utils/env.py", "c/env.py", "c/README"]
    assert found({}, *files).environments == (env("a", None, None), env("b", None, None))


def test_installed_packages_are_passed_over() -> None:
    files = [
        *script(".venv/lib/python3.12/site-packages/alembic/templates/generic"),
        *script("node_modules/x/alembic", "a.py"),
        "venv/lib/x/alembic/0123456789ab_x.py",
    ]
    assert found({}, *files) == Located((), (), ())


def test_candidates_are_directories_that_promise_revisions() -> None:
    files = [
        "pkg/alembic/0001.py",
        "pkg/db/migrations/x.py",
        "pkg/versions/2024/expand/x.py",
        "pkg/changes/20240101_0123456789ab_add.py",
        "pkg/changes/readme.md",
        "pkg/code/models.py",
        "pkg/conversions/x.py",
        "pkg/alembic_helpers/__init__.py",
        "tests/migrations/x.py",
        "docs/examples/alembic/x.py",
        *script("db", "a.py", "2024/b.py"),
        "db/helpers.py",
        "db/temp/alembic/c.py",
    ]
    located = found({"alembic.ini": INI.format("db")}, *files)
    assert located.candidates == (
        "db/temp/alembic",
        "pkg/alembic",
        "pkg/changes",
        "pkg/db/migrations",
        "pkg/versions/2024/expand",
    )


def test_an_env_py_alone_is_no_candidate() -> None:
    assert found({"alembic.ini": INI.format("alembic")}, *script("alembic", "a.py")).candidates == ()


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("0001_x.py", True),
        ("a b.py", True),
        (".hidden.py", True),
        ("env.py", True),
        ("__init__.py", False),
        ("__init__old.py", False),
        (".#0001_x.py", False),
        ("0001_x.pyc", False),
        ("0001_x.py.orig", False),
        ("README", False),
        ("x.PY", False),
    ],
)
def test_is_revision_file(name: str, expected: bool) -> None:
    assert is_revision_file(name) is expected


PATHS = ["v/b.py", "v/a.py", "v/__init__.py", "v/x/c.py", "v/x/__pycache__/c.py", "v/x/y/d.py", "vv/e.py", "f.py"]


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        ([("v", False)], ("v/a.py", "v/b.py")),
        ([("v", True)], ("v/a.py", "v/b.py", "v/x/c.py", "v/x/y/d.py")),
        ([("v", None)], ("v/a.py", "v/b.py", "v/x/c.py", "v/x/y/d.py")),
        ([("v/x", False), ("v", True)], ("v/a.py", "v/b.py", "v/x/c.py", "v/x/y/d.py")),
        ([("", False)], ("f.py",)),
        ([("", True)], ("f.py", "v/a.py", "v/b.py", "v/x/c.py", "v/x/y/d.py", "vv/e.py")),
        ([("none", True)], ()),
    ],
)
def test_files_of(locations: list[tuple[str, bool | None]], expected: tuple[str, ...]) -> None:
    environment = Environment("name", None, None, None, tuple(Location(*place) for place in locations))
    assert tuple(FileIndex(PATHS).files_of(environment)) == expected


# --- limits ---------------------------------------------------------------------------------------------


def test_an_alembic_ini_that_was_not_read_is_told() -> None:
    located = locate(FileIndex(["alembic.ini", "tox.ini"]), {"alembic.ini": None, "tox.ini": None})
    assert located.problems == (
        ConfigProblem("alembic.ini", 0, "it was not read, so environments that it declares may be missed", unread=True),
    )


def test_more_configurations_than_are_read_are_told() -> None:
    configs = dict.fromkeys(f"{n:04}.ini" for n in range(MAX_CONFIGS + 3))
    (problem,) = locate(FileIndex(configs), configs).problems
    assert (problem.path, problem.reason) == (
        "2000.ini",
        "only 2000 of 2003 ini and toml files were read: environments may be missed",
    )


def test_more_configuration_than_is_read_is_told() -> None:
    text = (INI.format("x") + "# " + "a" * 500_000).encode()
    configs = {f"{n:02}.ini": text for n in range(40)} | {"other.ini": b"#" * 1_000_000}
    located = locate(FileIndex([*configs, "x/env.py"]), configs)
    assert [problem.path for problem in located.problems] == ["33.ini"]
    assert located.problems[0].reason.startswith("the configurations up to here are larger than 16 MiB together")


def test_more_written_paths_than_are_looked_at_are_told() -> None:
    text = INI.format("x") + "version_locations = " + " ".join(f"v{n}" for n in range(100)) + "\n"
    configs = {f"{n:02}.ini": text for n in range(20)}
    located = found(configs, "x/env.py", *(f"v{n}/a.py" for n in range(100)))
    assert MAX_WRITTEN == 2000
    assert [(problem.path, problem.line) for problem in located.problems] == [("19.ini", 2)]
    assert len(located.environments) == 1


# --- where Alembic is run ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "options", "files", "run_from"),
    [
        ("api/alembic.ini", "script_location = db", ["api/db/env.py"], "api"),
        ("api/alembic.ini", "script_location = %(here)s/db", ["api/db/env.py"], "api"),
        ("api/alembic.ini", "script_location = shop:db", ["shop/db/env.py"], "api"),
        ("api/alembic.ini", "script_location = /app/db", ["api/db/env.py"], "api"),
        ("conf/alembic.ini", "script_location = db", ["db/env.py"], ""),
        ("a/conf/alembic.ini", "script_location = db", ["a/db/env.py"], "a"),
        ("tools/alembic.ini", "script_location = db", ["service/db/env.py"], "service"),
        # The word of what is relative counts, and that of env.py before the others.
        ("conf/alembic.ini", "script_location = %(here)s\nversion_locations = old new", ["conf/env.py"], ""),
        ("conf/alembic.ini", "script_location = db\nversion_locations = old new", ["conf/db/env.py"], "conf"),
        ("migrations/alembic.ini", "timezone = UTC", ["migrations/env.py"], ""),
        ("api/migrations/alembic.ini", "timezone = UTC", ["api/migrations/env.py"], "api"),
        ("api/db/alembic.ini", "timezone = UTC", ["api/db/env.py"], ""),
    ],
)
def test_alembic_is_run_from_where_relative_paths_lead(
    config: str, options: str, files: list[str], run_from: str
) -> None:
    versions = ["old/a.py", "new/b.py", *(path.replace("env.py", "versions/c.py") for path in files)]
    located = found({config: f"[alembic]\n{options}\n"}, *files, *versions)
    [environment] = (each for each in located.environments if each.config == config)
    assert (environment.run_from, environment.by_flask) == (run_from, "timezone" in options)
