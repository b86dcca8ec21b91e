"""A tree that is told by how it differs from one that was read gives what reading all of it gives."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from onehead.examine.read import Listing, Memory, TreeReading, read_trees
from onehead.gitrepo.tree import SYMLINK, Contents, Differing, Entry

FILE = "100644"
BASE = {
    "alembic.ini": "[alembic]\nscript_location = alembic\n",
    "alembic/env.py": "x = 1\n",
    "alembic/versions/a1.py": "revision = 'a1'\ndown_revision = None\n",
    "alembic/versions/a2.py": "revision = 'a2'\ndown_revision = 'a1'\n",
    "alembic/versions/old/a0.py": "revision = 'a0'\ndown_revision = None\n",
    "steps/b1.py": "revision = 'b1'\ndown_revision = None\n",
    "steps/b2.py": "revision = 'b2'\ndown_revision = 'b1'\n",
}
CONFIGURATIONS = (
    BASE["alembic.ini"],
    "[alembic]\nscript_location = alembic\nrecursive_version_locations = true\n",
    "[alembic]\nscript_location = alembic\nversion_locations = alembic/versions steps alembic\n",
    "[loggers]\n",
)
FOLDERS = ("", "alembic", *["alembic/versions"] * 6, "alembic/versions/old", "steps", "alembic/new")
NAMES = (*("a2.py", "a3.py", "b2.py", "3f2a9c1d4b5e_x.py") * 2, "env.py", "alembic.ini", "README")
TEXTS = (
    "x = 1\n",
    "x = (\n",
    "revision = make()\n",
    "revision = 'a2'\ndown_revision = None\n",
    "revision = 'a3'\ndown_revision = 'a2'\n",
    "revision = 'b3'\ndown_revision = 'b2'\n",
    "version_locations = ['steps']\n",
    *CONFIGURATIONS,
)
BLOBS = {str(number): text.encode() for number, text in enumerate(sorted({*TEXTS, *BASE.values(), "b2.py"}))}
OIDS = {data.decode(): oid for oid, data in BLOBS.items()}


def read(oids: Iterable[str]) -> Contents:
    return Contents({oid: BLOBS[oid] for oid in oids}, {})


def entry(path: str, text: str, mode: str = FILE) -> Entry:
    return Entry(path, mode, OIDS[text])


@pytest.mark.parametrize("seed", range(4))
def test_what_differs_is_read_as_if_all_was(seed: int) -> None:
    chance = random.Random(seed)
    quick = 0
    for _ in range(150):
        files = BASE | {"alembic.ini": chance.choice(CONFIGURATIONS)}
        kept = [path for path in files if path.endswith(".ini") or chance.random() < 0.9]
        base = {path: entry(path, files[path]) for path in kept}
        if chance.random() < 0.2:
            base["alembic/versions/link.py"] = entry("alembic/versions/link.py", "b2.py", SYMLINK)
        paths = ["/".join(filter(None, (chance.choice(FOLDERS), chance.choice(NAMES)))) for _ in range(2)]
        changed = {path: entry(path, chance.choice(TEXTS)) for path in paths[: chance.choice((1, 1, 2))]}
        gone = chance.sample(kept, chance.choice((0, 0, 1, 1)))
        told = Differing(base, changed, [path for path in gone if path not in changed])
        [old] = read_trees([Listing(base)], read, Memory(None))
        [short], [whole] = (read_trees([Listing(each)], read, Memory(None), old) for each in (told, dict(told)))
        assert shown(short) == shown(whole)
        quick += short.files is old.files
    assert 10 < quick < 110


def shown(reading: TreeReading) -> object:
    survey = reading.survey
    chains = {
        path: (chain.environment, list(chain.graph), chain.graph.unreadable, chain.files)
        for path, chain in survey.chains.items()
    }
    return reading.outcomes, chains, survey.problems, survey.unloaded
