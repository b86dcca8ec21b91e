"""Pull requests without a branch: `git push origin HEAD:refs/for/<branch>/<topic>` (AGit)."""

from __future__ import annotations

from tests.forgejos.fixtures import Project
from tests.forgejos.port import eventually


def test_a_push_to_refs_for_makes_a_pull_request_without_a_branch_and_the_next_one_moves_it(project: Project) -> None:
    copy = project.copy
    copy.branch("mine")
    first = copy.commit({"notes.txt": "one\n"}, "Take notes")
    copy.push("HEAD:refs/for/main/fix/notes")

    [pull] = project.api.get(f"{project.repository.path}/pulls?state=open")
    assert (pull["title"], pull["flow"], pull["allow_maintainer_edit"]) == ("Take notes", 1, False)
    assert (pull["head"]["label"], pull["head"]["ref"]) == ("", f"refs/pull/{pull['number']}/head")
    assert pull["head"]["sha"] == first
    assert pull["head"]["repo"]["full_name"] == project.repository.full_name

    second = copy.commit({"notes.txt": "two\n"}, "Take more notes")
    copy.push("HEAD:refs/for/main/fix/notes")
    eventually(lambda: project.pull(pull["number"])["head"]["sha"] == second)
    assert len(project.api.get(f"{project.repository.path}/pulls?state=open")) == 1
    assert copy.git("ls-remote", "origin", "refs/heads/*").count("refs/heads/") == 1
