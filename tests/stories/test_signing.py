"""Where a deployed branch takes signed commits only, that is said before somebody tries to merge the repair."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.forgejos.workcopy import WorkCopy
from tests.stories.colliding import collision
from tests.stories.conftest import Service

# Forgejo verifies signatures; what is looked at here is that each commit has one.
SIGNER = """#!/bin/sh
cat > /dev/null
printf '\\n[GNUPG:] SIG_CREATED D\\n' >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nnone\\n-----END PGP SIGNATURE-----\\n'
"""


@pytest.fixture
def copy(service: Service, tmp_path: Path) -> WorkCopy:
    """The owner's clone, which can sign."""
    program = tmp_path / "signer"
    program.write_text(SIGNER)
    program.chmod(0o755)
    clone = service.project.copy
    for key, value in (("gpg.program", str(program)), ("user.signingkey", "me")):
        clone.git("config", key, value)
    return clone


def rule(service: Service, **fields: object) -> None:
    path = f"{service.project.repository.path}/branch_protections"
    service.project.api.call("POST", path, {"rule_name": "main", "enable_push": True, **fields}, expect=201)


def told(service: Service, number: int) -> list[str]:
    """The comment, and the body of the repair."""
    return [service.verdicts(number)[0]["body"], service.repairs()[0]["body"]]


def test_an_administrator_sees_the_rule_and_the_commands_make_a_signed_copy(service: Service, copy: WorkCopy) -> None:
    admin = service.project.forgejo.admin
    number = collision(service.project)[0]
    admin.add_collaborator(service.project.repository, service.bot, "admin")
    rule(service, require_signed_commits=True)
    service.settle()
    service.sweep()

    comment, body = told(service, number)
    for text in (comment, body):
        assert "`main` takes signed commits only, and this repair is not signed" in text
    [commands] = re.findall(r"sign a copy:\n\n```\n(.*?)\n```", comment, re.DOTALL)
    for line in commands.splitlines():
        git, *arguments = shlex.split(line)
        assert git == "git"
        copy.git(*arguments)
    service.settle()

    mine = copy.git("rev-list", "--no-commit-header", "--format=%H", "oauth", "^origin/main").split()
    made = [sha for sha in mine if copy.git("log", "-1", "--format=%s", sha) != "Work on oauth"]
    assert len(made) == 2
    assert all("\ngpgsig " in copy.git("cat-file", "commit", sha) for sha in made)
    assert service.status(copy.git("rev-parse", "oauth"))[0] == "success"
    assert service.repairs() == []


def test_others_learn_it_from_a_protected_branch_whose_commits_are_all_signed(service: Service, copy: WorkCopy) -> None:
    copy.git("config", "commit.gpgsign", "true")
    copy.git("commit", "-q", "--amend", "--no-edit")
    copy.push(force=True)
    rule(service)
    number = collision(service.project)[0]
    service.settle()
    service.sweep()

    for text in told(service, number):
        assert "`main` is protected, and its latest commits are all signed." in text


@pytest.mark.parametrize("signed", [True, False])
def test_nothing_is_said_where_only_one_of_both_is_so(service: Service, copy: WorkCopy, signed: bool) -> None:
    if signed:
        copy.git("config", "commit.gpgsign", "true")
        copy.git("commit", "-q", "--amend", "--no-edit")
        copy.push(force=True)
    else:
        rule(service)
    number = collision(service.project)[0]
    service.settle()
    service.sweep()

    for text in told(service, number):
        assert "signed" not in text
