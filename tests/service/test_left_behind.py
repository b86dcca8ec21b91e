"""Which repositories are taken leave of."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import cast

from onehead.forge.api import ForgejoApi
from onehead.forge.models import Repository, RepositoryName
from onehead.gitrepo.mirror import Mirrors
from onehead.service.context import ServiceContext
from onehead.service.sweep import left_behind
from tests.repositories import Repository as GitRepository
from tests.service.test_subjects import repository

HOURS = 60 * 60


def test_those_that_were_looked_after_and_are_not_any_more(tmp_path: Path) -> None:
    api = cast("ForgejoApi", None)
    context = ServiceContext(api, Mirrors(tmp_path / "mirrors"), f"file://{tmp_path}", "", tmp_path, covers=is_ours)
    found: list[Repository] = []
    for number, (name, idle) in enumerate(
        {"ours": 0, "known": None, "never": None, "used": 20, "rested": 26, "archived": 26}.items()
    ):
        found.append(replace(repository(number), name=RepositoryName("acme", name), archived=name == "archived"))
        if idle is not None:
            GitRepository(tmp_path / "acme" / f"{name}.git").commit("main", {"a.txt": "a\n"})
            with context.mirrors.hold(context.clone_url(found[-1])) as held:
                held.fetch()
                lock = Path(held.git.directory).with_suffix(".lock")
            then = lock.stat().st_mtime - idle * HOURS
            os.utime(lock, (then, then))
    left = left_behind(found, context, lambda name: name in ("acme/ours", "acme/known"))
    assert [str(name) for name in left] == ["acme/known", "acme/rested"]


def is_ours(each: Repository) -> bool:
    return each.name.name == "ours"
