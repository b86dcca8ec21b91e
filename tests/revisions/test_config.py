"""What is read from ini and toml files; Alembic itself is the judge wherever it reads the file at all."""

from pathlib import Path
from textwrap import dedent

import pytest
from alembic.config import Config

from onehead.revisions.config import (
    HERE,
    MAX_BYTES,
    MAX_LOCATIONS,
    MAX_SECTIONS,
    Section,
    config_paths,
    interpolate,
    is_alembic_ini,
    is_sample,
    read_config,
    read_ini,
)
from onehead.revisions.model import ConfigProblem


def section(
    config: str = "alembic.ini",
    name: str = "alembic",
    line: int = 2,
    script_location: str | None = "alembic",
    version_locations: tuple[str, ...] = (),
    recursive: bool | None = None,
    file_template: str | None = None,
    timezone: str | None = None,
) -> Section:
    return Section(config, name, line, script_location, version_locations, recursive, file_template, timezone)


def read(text: str | bytes, path: str = "alembic.ini") -> tuple[list[Section], list[ConfigProblem]]:
    return read_config(path, text if isinstance(text, bytes) else dedent(text).encode())


AGREED = {
    "plain": "[alembic]\nscript_location = alembic\n",
    "colon as delimiter": "[alembic]\nscript_location: alembic\nFile_Template: %%(rev)s\n",
    "comments": "# a\n[alembic]\n; script_location = no\nscript_location = alembic # no comment\n",
    "default section": "[DEFAULT]\nscript_location = db\ntimezone = UTC\n[alembic]\ntimezone = Europe/Rome\n",
    "other option": "[alembic]\nscript_location = db\nversion_locations = %(script_location)s/a b\n",
    "chain": "[DEFAULT]\nroot = r\n[alembic]\nbase = %(root)s/b\nscript_location = %(base)s/m\n",
    "percent": "[alembic]\nscript_location = a\nfile_template = %%(year)d_%%(month).2d_%%(rev)s_%%(slug)s\n",
    "os": "[alembic]\nscript_location = a\npath_separator = os\nversion_locations = x/y:z: q\n",
    "colon": "[alembic]\nscript_location = a\npath_separator = :\nversion_locations = x/y:z\n",
    "semicolon": "[alembic]\nscript_location = a\npath_separator = ;\nversion_locations = x/y ; z;\n",
    "space": "[alembic]\nscript_location = a\npath_separator = space\nversion_locations = x/y  z\n",
    "newline": "[alembic]\nscript_location = a\npath_separator = newline\nversion_locations =\n  x\n\n  # no\n  z w\n",
    "older separator": "[alembic]\nscript_location = a\nversion_path_separator = ;\nversion_locations = x;y\n",
    "newer separator wins": (
        "[alembic]\nscript_location = a\nversion_path_separator = :\npath_separator = ;\nversion_locations = x:y;z\n"
    ),
    "legacy": "[alembic]\nscript_location = a\nversion_locations = x/y, z  w,v\n",
    "recursive": "[alembic]\nscript_location = a\nrecursive_version_locations = true\n",
    "recursive capital": "[alembic]\nscript_location = a\nrecursive_version_locations = True\n",
    "recursive yes": "[alembic]\nscript_location = a\nrecursive_version_locations = yes\n",
    "recursive false": "[alembic]\nscript_location = a\nrecursive_version_locations = false\n",
    "crlf": "[alembic]\r\nscript_location = a\r\nversion_locations = x\r\n  y\r\npath_separator = newline\r\n",
    "continuation": "[alembic]\nfile_template = x\n  y\nscript_location = a\n",
    "indented": "  [alembic]\n  script_location = a\n  timezone = UTC\n",
    "empty value": "[alembic]\nscript_location = a\nversion_locations =\ntimezone = UTC\n",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("text", AGREED.values(), ids=AGREED.keys())
def test_an_ini_means_what_it_means_to_alembic(text: str, tmp_path: Path) -> None:
    file = tmp_path / "alembic.ini"
    file.write_bytes(text.encode())
    theirs = Config(file)
    (ours,), _ = read_config("alembic.ini", text.encode())
    assert ours.script_location == theirs.get_alembic_option("script_location")
    assert list(ours.version_locations) == (theirs.get_version_locations_list() or [])
    assert bool(ours.recursive) is theirs.get_alembic_boolean_option("recursive_version_locations")
    assert ours.file_template == theirs.get_alembic_option("file_template")
    assert ours.timezone == theirs.get_alembic_option("timezone")


TOML = """
[project]
name = "shop"

[tool.alembic]
script_location = "%(here)s/db"
file_template = "%%(rev)s"
version_locations = ["%(here)s/db/versions", "plugins/versions"]
recursive_version_locations = true
timezone = "UTC"

[tool.ruff]
line-length = 100
"""


def test_a_toml_means_what_it_means_to_alembic(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(TOML)
    theirs = Config(toml_file=file)
    (ours,), problems = read(TOML, "pyproject.toml")
    assert problems == []
    assert ours == section(
        "pyproject.toml",
        "tool.alembic",
        6,
        f"{HERE}/db",
        (f"{HERE}/db/versions", "plugins/versions"),
        recursive=True,
        file_template="%(rev)s",
        timezone="UTC",
    )
    assert [place.replace(HERE, tmp_path.as_posix()) for place in ours.version_locations] == (
        theirs.get_version_locations_list()
    )
    assert theirs.get_alembic_option("file_template") == "%(rev)s"


def test_every_section_with_a_script_location_declares_one() -> None:
    sections, problems = read(
        """
        [alembic]
        timezone = UTC
        [core]
        script_location = core
        [loggers]
        keys = root
        [tenant]
        script_location = tenant
        """
    )
    assert sections == [
        section(name="core", line=5, script_location="core"),
        section(name="tenant", line=9, script_location="tenant"),
    ]
    assert problems == []


def test_what_default_says_holds_for_alembic_and_not_for_the_loggers() -> None:
    sections, _ = read(
        "[DEFAULT]\nscript_location = a\n[loggers]\nkeys = root\n[alembic]\n[private]\nversion_locations = p\n"
    )
    assert sections == [
        section(name="alembic", script_location="a"),
        section(name="private", script_location="a", version_locations=("p",)),
    ]


def test_default_alone_declares_one() -> None:
    assert read("[DEFAULT]\nscript_location = a\n[loggers]\nkeys = x\n")[0] == [
        section(name="DEFAULT", script_location="a")
    ]


def test_an_alembic_section_without_script_location_counts_only_in_a_file_of_alembic() -> None:
    text = "[alembic]\ntimezone = UTC\n"
    assert read(text)[0] == [section(line=1, script_location=None, timezone="UTC")]
    assert read(text, "settings.cfg") == ([], [])


@pytest.mark.parametrize(
    ("text", "line", "beginning"),
    [
        ("[alembic]\nscript_location = old\nscript_location = a\n", 3, "the key script_location is there twice"),
        ("[x]\na = 1\n[x]\nb = 1\n[alembic]\nscript_location = a\n", 3, "the section [x] is there twice"),
        ("[alembic]\nscript_location = a\n{% if x %}\n", 3, "it is neither a section nor a setting"),
        ("stray\n[alembic]\nscript_location = a\n", 1, "it is neither a section nor a setting"),
        (
            "[alembic]\nscript_location = a\nrecursive_version_locations = True\n",
            3,
            "recursive_version_locations = True has no effect",
        ),
        (
            "[alembic]\nscript_location = a\nversion_locations = x\npath_separator = |\n",
            2,
            "path_separator = | is none of",
        ),
    ],
)
def test_a_broken_ini_is_read_and_told(text: str, line: int, beginning: str) -> None:
    (ours,), (problem,) = read(text)
    assert ours.script_location == "a"
    assert (problem.path, problem.line) == ("alembic.ini", line)
    assert problem.reason.startswith(beginning)
    assert not problem.reason.endswith(".")


def test_an_ini_too_broken_to_declare_anything_is_told() -> None:
    problem = "it is neither a section nor a setting, so Alembic refuses the file; remove it"
    assert read("script_location = a\n") == ([], [ConfigProblem("alembic.ini", 1, problem)])
    assert read("script_location = a\n", "other.ini") == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf[alembic]\r\nscript_location = alembic\r\n",
        b"[alembic]\nscript_location = alembic\n# caf\xe9\n",
        b"[alembic]\rscript_location = alembic\r",
    ],
    ids=["byte order mark", "latin-1", "old line ends"],
)
def test_encodings_and_line_ends(data: bytes) -> None:
    assert read(data) == ([section()], [])


def test_names_that_nobody_sets_stay() -> None:
    assert read("[alembic]\nscript_location = %(root)s/alembic\n")[0] == [section(script_location="%(root)s/alembic")]


def test_values_that_refer_to_themselves_or_grow_without_end_stay() -> None:
    values = {"a": "x%(b)s", "b": "%(a)s"}
    assert interpolate(values, ["a"]) == {"a": "xx%(b)s"}
    bomb = {"v0": "abcdefgh" * 4} | {f"v{n}": f"%(v{n - 1})s" * 100 for n in range(1, 9)}
    assert len(interpolate(bomb, ["v8"])["v8"]) < 20_000
    hollow = {"v0": ""} | {f"v{n}": f"%(v{n - 1})s" * 1000 for n in range(1, 10)}
    assert interpolate(hollow, ["v9"]) == {"v9": ""}


def test_the_last_of_two_values_counts() -> None:
    assert read_ini(b"[a]\nx = 1\nx = 2\n").options("a")["x"].text == "2"


def test_a_toml_that_is_broken_elsewhere_is_read() -> None:
    sections, (problem,) = read(TOML + "\n= broken\n", "pyproject.toml")
    assert sections[0].script_location == f"{HERE}/db"
    assert sections[0].recursive is True
    assert problem.reason == (
        "it is not valid TOML, so Alembic refuses it; repair it ([tool.alembic] was read on its own)"
    )


def test_a_toml_that_is_broken_in_the_table_is_told() -> None:
    assert read("[tool.alembic]\nscript_location = db\n", "pyproject.toml") == (
        [],
        [ConfigProblem("pyproject.toml", 0, "it is not valid TOML, so its environment may be missed; repair it")],
    )


def test_a_toml_that_does_not_use_alembic_says_nothing() -> None:
    assert read('[project]\ndependencies = ["alembic"]\n', "pyproject.toml") == ([], [])
    assert read('[project]\ndependencies = ["alembic", script_location\n', "pyproject.toml") == ([], [])
    assert read('[tool]\nscript_location = "x"\nalembic = 3\n', "pyproject.toml") == ([], [])


def test_a_toml_with_a_boolean_in_words_is_told() -> None:
    (ours,), (problem,) = read(
        '[tool.alembic]\nscript_location = "a"\nrecursive_version_locations = "true"\n', "pyproject.toml"
    )
    assert ours.recursive is None
    assert problem.line == 3


@pytest.mark.parametrize(
    "data",
    [
        b"[tool.alembic]\nscript_location = " + b"[" * 100_000,
        b"[tool.alembic]\nscript_location = 'a'\n" + b"a." * 200_000 + b"a = 1\n",
        b"[tool.alembic]\nscript_location = " + b"9" * 100_000,
    ],
    ids=["nested", "dotted", "digits"],
)
def test_a_hostile_toml_is_no_trouble(data: bytes) -> None:
    sections, problems = read(data, "pyproject.toml")
    assert [one.script_location for one in sections] in ([], [None], ["a"])
    assert len(problems) == 1


def test_too_large_a_file_is_told_and_not_read() -> None:
    text = b"[alembic]\nscript_location = a\n" + b"#" * MAX_BYTES
    sections, (problem,) = read(text)
    assert sections == []
    assert problem.reason.startswith("it is larger than 512 KiB and was not read")
    assert read(b"#" * (MAX_BYTES + 1)) == ([], [])


def test_too_many_sections_and_locations_are_told() -> None:
    many = "".join(f"[s{n}]\nscript_location = a{n}\n" for n in range(MAX_SECTIONS + 1))
    sections, (problem,) = read(many)
    assert len(sections) == MAX_SECTIONS
    assert problem.reason == "it declares 51 environments, only the first 50 were read"
    wide = "[alembic]\nscript_location = a\nversion_locations = " + " ".join(f"v{n}" for n in range(MAX_LOCATIONS + 1))
    (ours,), (problem,) = read(wide)
    assert len(ours.version_locations) == MAX_LOCATIONS
    assert problem.reason == "version_locations names 201 directories, only the first 200 were read"


def test_which_files_may_configure_alembic() -> None:
    wanted = [
        "alembic.ini",
        "etc/alembic.ini.template",
        "etc/alembic_nph.ini",
        "db/halfstack.alembic.ini",
        "pyproject.toml",
        "api/setup.cfg",
        "development.ini",
        "conf/production.ini.sample",
    ]
    others = [
        "README.md",
        "alembic/env.py",
        "contrib/alembic.ini.mako",
        "docs/alembic.ini.md",
        "Cargo.toml",
        ".venv/lib/site-packages/flask_migrate/templates/flask/alembic.ini",
        "node_modules/x/alembic.ini",
    ]
    assert config_paths([*others, *reversed(wanted)]) == [
        "alembic.ini",
        "db/halfstack.alembic.ini",
        "etc/alembic.ini.template",
        "etc/alembic_nph.ini",
        "pyproject.toml",
        "api/setup.cfg",
        "development.ini",
        "conf/production.ini.sample",
    ]


def test_the_configurations_of_alembic_come_first() -> None:
    paths = [*(f"a/{n}.ini" for n in range(5)), "z/y/alembic.ini"]
    assert config_paths(paths)[0] == "z/y/alembic.ini"


def test_samples() -> None:
    names = ["alembic.ini.sample", "etc/alembic.ini.template", "alembic.example.ini", "sample-alembic.ini"]
    assert [is_sample(name) and is_alembic_ini(name) for name in names] == [True] * 4
    assert [is_sample(name) for name in ("alembic.ini", "alembic_default.ini", "samples/alembic.ini")] == [False] * 3
