"""What holds for every tree: order never matters, nothing crashes, and Alembic loads the same files."""

import random
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from onehead.revisions.config import config_paths, read_config, read_ini
from onehead.revisions.environments import FileIndex, settle, unconfigured
from onehead.revisions.locate import find_script_directory, find_version_directory, locate, take_apart
from onehead.revisions.model import ConfigProblem, Environment, Location, Revision, Unreadable

FOLDERS = st.lists(
    st.sampled_from(["app", "db", "alembic", "Alembic", "versions", "src", "2024", "expand", "..", "venv"]), max_size=4
)
NAMES = st.sampled_from(
    [
        *("env.py", "script.py.mako", "alembic.ini", "alembic.ini.sample", "setup.cfg", "pyproject.toml"),
        *("a.py", "b.py", "0123456789ab_x.py", "__init__.py", "README"),
    ]
)
PATHS = st.lists(st.builds(lambda folders, name: "/".join([*folders, name]), FOLDERS, NAMES), max_size=25)
WRITTEN = st.one_of(
    st.builds("/".join, FOLDERS),
    st.sampled_from(
        ["%(here)s/db", "%(x)s/db", "app:alembic", "/app/db", "C:\\app\\db", "${X}/db", "{{ y }}", ".", ":", ""]
    ),
    st.text(max_size=12),
)
INI = st.builds(
    "[{}]\nscript_location = {}\nversion_locations = {}\npath_separator = {}\n".format,
    st.sampled_from(["alembic", "DEFAULT", "core"]),
    WRITTEN,
    WRITTEN,
    st.sampled_from(["os", "space", ":", "?"]),
)
TOML = st.builds("[tool.alembic]\nscript_location = '{}'\nversion_locations = ['{}']\n".format, WRITTEN, WRITTEN)
CONTENT = st.one_of(
    INI.map(lambda text: text.encode("utf-8", "surrogatepass")),
    TOML.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=60).map(lambda noise: b"[alembic]\nscript_location" + noise),
    st.binary(max_size=60).map(lambda noise: b"[tool.alembic]\nscript_location = 'db'\n" + noise),
)


@given(PATHS, st.lists(CONTENT, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_paths_never_matters_and_names_are_unique(
    paths: list[str], contents: list[bytes], chance: random.Random
) -> None:
    configs = {path: contents[index % len(contents)] for index, path in enumerate(config_paths(paths))}
    tree = FileIndex(paths)
    located = locate(tree, configs)
    shuffled, shuffled_configs = list(paths), list(configs.items())
    chance.shuffle(shuffled)
    chance.shuffle(shuffled_configs)
    assert locate(FileIndex(shuffled), dict(shuffled_configs)) == located
    names = [environment.path for environment in located.environments]
    assert names == sorted(set(names))
    files = {environment.path: tree.files_of(environment) for environment in located.environments}
    assert all(FileIndex(shuffled).files_of(each) == files[each.path] for each in located.environments)
    assert {path for group in files.values() for path in group} <= set(paths)
    covered = {path.rpartition("/")[0] for group in files.values() for path in group}
    assert covered.isdisjoint(located.candidates)
    assert all(not problem.reason.endswith(".") for problem in located.problems)


@given(st.binary(max_size=300), st.sampled_from(["alembic.ini", "pyproject.toml"]))
def test_random_bytes_are_read_without_a_crash(data: bytes, path: str) -> None:
    read_ini(data)
    sections, problems = read_config(path, data + b"\nscript_location = alembic\n")
    assert len(sections) <= 2
    assert all(isinstance(problem, ConfigProblem) for problem in problems)


@given(PATHS, st.text(max_size=40), st.builds("/".join, FOLDERS))
def test_a_found_directory_is_inside_the_repository(paths: list[str], written: str, here: str) -> None:
    tree = FileIndex(paths)
    assert take_apart(written).anchor in ("here", "relative", "package", "somewhere")
    script = find_script_directory(tree, written, here)
    assert script is None or tree.is_directory(script)
    place, sure = find_version_directory(tree, written, here, script)
    assert not sure or place is not None


ITEMS = st.lists(
    st.one_of(
        st.builds(
            lambda name, parents, folders: Revision(name, tuple(parents), "/".join(["v", *folders, f"{name}.py"]), "b"),
            st.sampled_from("abcdef"),
            st.lists(st.sampled_from("abcdefx"), max_size=2),
            st.lists(st.sampled_from(["x", "x-y", "versions", "2024"]), max_size=3),
        ),
        st.builds(
            lambda folders, kind: Unreadable("/".join(["v", *folders, "u.py"]), "b", 0, "no", None, kind),
            st.lists(st.sampled_from(["x", "y"]), max_size=2),
            st.sampled_from(["dynamic", "broken", "not-a-revision"]),
        ),
    ),
    max_size=12,
)


@given(ITEMS, st.randoms(use_true_random=False))
def test_settling_takes_each_directory_once_or_leaves_it_out(
    items: list[Revision | Unreadable], chance: random.Random
) -> None:
    environment = Environment("v", None, None, None, (Location("v", None),))
    result = settle(environment, items)
    shuffled = list(items)
    chance.shuffle(shuffled)
    assert settle(environment, shuffled) == result
    assert unconfigured(shuffled) == unconfigured(items)
    taken = [place.path for one in result.environments for place in one.locations]
    assert len(taken) == len(set(taken))
    assert len({one.path for one in result.environments}) == len(result.environments)
    declaring = {item.path.rpartition("/")[0] for item in items if isinstance(item, Revision)}
    assert declaring <= {*taken, *result.left_out}
    assert not {*taken} & {*result.left_out}


@pytest.mark.parametrize("recursive", [True, False])
def test_alembic_loads_the_same_files(tmp_path: Path, recursive: bool) -> None:
    ini = "[alembic]\nscript_location = %(here)s/db\n" + ("recursive_version_locations = true\n" if recursive else "")
    names = ["a.py", "z.py", "sub/b.py", "sub/deep/c.py", "sub/__pycache__/d.py", ".e.py", "__pycache__/f.py"]
    others = ["README", "__init__.py", "sub/__init__x.py", ".#g.py", "h.pyc", "i.py~"]
    for name in [*names, *others]:
        file = tmp_path / "db" / "versions" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"revision = {name!r}\ndown_revision = None\n")
    (tmp_path / "db" / "env.py").touch()
    (tmp_path / "alembic.ini").write_text(ini)
    paths = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    theirs = {
        Path(script.path).relative_to(tmp_path).as_posix()
        for script in ScriptDirectory.from_config(Config(tmp_path / "alembic.ini")).walk_revisions("base", "heads")
    }
    (environment,) = locate(FileIndex(paths), {"alembic.ini": ini.encode()}).environments
    if not recursive:
        (environment,) = settle(environment, []).environments
    assert set(FileIndex(paths).files_of(environment)) == theirs
    assert len(theirs) == (5 if recursive else 3)
