"""What the policy in a repository makes the service do."""

from __future__ import annotations

import html

import pytest

from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

START = merged(alembic_project(), chain(("017", None), ("018", "017")))
POLICY = ".onehead.toml"


def begin(service: Service, policy: str = "") -> None:
    copy = service.project.copy
    copy.commit(START | ({POLICY: policy} if policy else {}), "Start")
    copy.push()


def collide(service: Service) -> tuple[int, str]:
    """A pull request with 020 on 018, and main at 019."""
    sha = service.project.push_branch("oauth", chain(("020", "018")))
    number = service.project.open_pull("oauth")["number"]
    service.project.copy.commit(chain(("019", "018")), "Player teams")
    service.project.copy.push()
    service.settle()
    return number, sha


def test_a_wrong_key_is_told_on_the_pull_request_that_brings_it(service: Service) -> None:
    begin(service)
    sha = service.project.push_branch("rules", {POLICY: 'strategy = "merge"\nfresh_ids = true\n'})
    number = service.project.open_pull("rules")["number"]
    service.settle()
    assert service.status(sha)[0] == "failure"
    [said] = service.verdicts(number)
    assert "The policy on `rules` can't be used" in said["body"]
    assert (
        "`bad-policy`: `.onehead.toml`, line 2: `fresh_ids` is not a key of onehead's policy. Did you mean `fresh-ids`?"
    ) in said["body"]

    copy = service.project.copy
    copy.switch("rules")
    mended = copy.commit({POLICY: 'strategy = "merge"\nfresh-ids = true\n'}, "Mend the key")
    copy.push()
    copy.switch("main")
    service.settle()
    assert service.status(mended)[0] == "success"
    [after] = service.verdicts(number)
    assert after["id"] == said["id"]
    assert "Resolved" in after["body"]


def test_the_target_says_how_its_branches_are_repaired(service: Service) -> None:
    begin(service, 'strategy = "merge"\n')
    collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"


def test_a_policy_that_is_not_understood_on_the_target_keeps_from_re_parenting(service: Service) -> None:
    begin(service, 'shared-database = ["staging"]\n')
    number, _ = collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"
    [said] = service.verdicts(number)
    assert "- **warning** `bad-policy`: `.onehead.toml`, line 1: `shared-database` is not a key" in said["body"]


def test_a_pull_request_can_not_relax_the_rules_that_it_is_judged_by(service: Service) -> None:
    begin(service, 'strategy = "merge"\n')
    sha = service.project.push_branch("oauth", {**chain(("020", "018")), POLICY: "allowed-heads = 2\n"})
    number = service.project.open_pull("oauth")["number"]
    service.project.copy.commit(chain(("019", "018")), "Player teams")
    service.project.copy.push()
    service.settle()

    assert service.status(sha)[0] == "failure"
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"
    assert "both add a migration" in service.verdicts(number)[0]["body"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('strategy = "rebase"', '`strategy` is "rebase". Choose one of "auto", "merge", "reparent".'),
        ('targets = "main"', '`targets` is no list of patterns. Write it like ["main", "release/*"].'),
        ("allowed-heads = 0", "`allowed-heads` is 0. Write a number from 1 on"),
        ('delivery = "mail"', '`delivery` is "mail". Choose one of "pull-request", "push", "comment".'),
    ],
)
def test_a_bad_value_is_told_with_its_line(service: Service, line: str, said: str) -> None:
    begin(service)
    sha = service.project.push_branch("rules", {POLICY: f"# ours\n\n{line}\n"})
    number = service.project.open_pull("rules")["number"]
    service.settle()

    assert service.status(sha)[0] == "failure"
    body = html.unescape(service.verdicts(number)[0]["body"])
    assert f"**error** `bad-policy`: `.onehead.toml`, line 3: {said}" in body
    assert "**Next:** correct the line and push; it is judged again by itself." in body
    assert service.repairs() == []


@pytest.mark.slow
def test_the_branches_that_are_deployed_are_those_that_the_policy_names(service: Service) -> None:
    begin(service, 'targets = ["main", "release/*"]\n')
    copy = service.project.copy
    copy.push("main:refs/heads/release/1", "main:refs/heads/develop")
    service.settle()
    shas = {
        base: service.project.push_branch(f"to-{name}", chain((id_, "018")))
        for base, name, id_ in (("release/1", "release", "020"), ("develop", "develop", "021"))
    }
    numbers = {
        base: service.project.open_pull(f"to-{name}", base=base)["number"]
        for base, name in (("release/1", "release"), ("develop", "develop"))
    }
    for base in ("release/1", "develop"):
        copy.git("switch", "-C", "work", "main")
        copy.commit(chain(("019", "018")), f"Player teams on {base}")
        copy.push(f"work:refs/heads/{base}")
    copy.switch("main")
    service.settle()

    assert service.status(shas["release/1"])[0] == "failure"
    assert "`to-release` and `release/1` both add a migration" in service.verdicts(numbers["release/1"])[0]["body"]
    assert service.status(shas["develop"]) == (
        "success",
        "Goes into develop, which is not deployed; judged once it goes into main or release/1.",
    )
    assert service.verdicts(numbers["develop"]) == []


def test_what_a_shared_database_has_run_is_not_moved(service: Service) -> None:
    begin(service, 'shared-databases = ["oauth"]\n')
    number, _ = collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"
    assert "branch oauth, whose migrations a shared database runs" in service.verdicts(number)[0]["body"]


@pytest.mark.slow
@pytest.mark.parametrize("line", ["allowed-heads = 2", 'ignore-environments = ["alembic/*"]'])
def test_what_the_policy_allows_or_ignores_is_not_complained_of(service: Service, line: str) -> None:
    begin(service, f"{line}\n")
    number, sha = collide(service)
    assert service.status(sha)[0] == "success"
    assert service.comments(number) == []
    assert service.repairs() == []


def test_repairs_are_pushed_where_that_is_wanted(service: Service) -> None:
    begin(service, 'delivery = "push"\n')
    number, sha = collide(service)
    tip = service.project.pull(number)["head"]["sha"]
    assert tip != sha
    assert service.status(tip)[0] == "success"
    [comment] = service.verdicts(number)
    _, heading, _, first, *_ = comment["body"].split("\n")
    assert heading == "## :white_check_mark: `oauth` is repaired"
    assert first.startswith(f"**onehead has pushed the repair onto `oauth`: `{tip[:10]}`.**")
    assert "the deploy fails" not in comment["body"]
    assert f"(`git revert` `{tip[:10]}`)" in comment["body"]
    assert "**Next:** pull this branch before you go on." in comment["body"]
    # A look between the push and the pull request offers one; it is withdrawn.
    assert service.repairs() == []
    assert service.onehead_branches() == []


@pytest.mark.slow
def test_no_repair_is_pushed_onto_a_branch_that_nobody_has_proposed_yet(service: Service) -> None:
    begin(service, 'delivery = "push"\n')
    service.project.copy.commit(chain(("019", "018")), "Player teams")
    service.project.copy.push()
    sha = service.project.push_branch("oauth", chain(("020", "018")), start="main~1")
    service.settle()
    assert service.project.copy.git("ls-remote", "origin", "refs/heads/oauth").split()[0] == sha
    [repair] = service.repairs()
    assert repair["base"]["ref"] == "oauth"


@pytest.mark.slow
def test_where_only_a_comment_is_wanted_no_branch_is_written_and_apply_pushes_the_repair(service: Service) -> None:
    begin(service, 'delivery = "comment"\n')
    number, sha = collide(service)
    assert service.status(sha)[0] == "failure"
    assert service.repairs(state="all") == []
    assert service.onehead_branches() == []
    [said] = service.verdicts(number)
    assert '+down_revision: Union[str, Sequence[str], None] = "019"' in said["body"]
    assert "let `/onehead apply` push it onto the branch" in said["body"]

    service.ask(number, "/onehead apply")
    assert service.status(service.project.pull(number)["head"]["sha"])[0] == "success"
    assert "Resolved" in service.verdicts(number)[0]["body"]


def test_branches_without_a_pull_request_only_get_a_status_where_that_is_wanted(service: Service) -> None:
    begin(service, 'branches = "status"\n')
    service.project.copy.commit(chain(("019", "018")), "Player teams")
    service.project.copy.push()
    sha = service.project.push_branch("oauth", chain(("020", "018")), start="main~1")
    service.settle()
    assert service.status(sha)[0] == "failure"
    assert service.repairs(state="all") == []
    assert service.onehead_branches() == []


@pytest.mark.slow
def test_fresh_ids_reach_the_branch_by_a_pull_request(service: Service) -> None:
    begin(service, "fresh-ids = true\n")
    number, _ = collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/reissue/oauth"
    [said] = service.verdicts(number)
    assert (
        f"#{repair['number']} moves this branch's chain onto `019`, under new ids: `020` becomes `021`." in said["body"]
    )
    # Whoever has run the branch's side under its old id stops, instead of skipping the other side in silence.
    assert "| after the re-parent, under new ids |" in said["body"]
    assert "| `018` | 019 020 | 019 021 |" in said["body"]
    assert "| `020` | 019 | :x: Can't locate revision identified by '020' |" in said["body"]
    service.project.merge(repair["number"])
    service.settle()
    assert service.status(service.project.pull(number)["head"]["sha"])[0] == "success"
