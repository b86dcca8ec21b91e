"""The main job, step by step, on a running stage. What is told was checked first; what fails ends the story."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.demo import page
from tests.demo.merged_tree import MergedTree
from tests.demo.telling import DemoFailedError
from tests.migrations import merged, revision

if TYPE_CHECKING:
    from tests.demo.stage import Stage
    from tests.demo.telling import Teller

_MARKER = re.compile(r"\A<!-- onehead:.*?-->\s*")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the bot has made of the collision: API objects, and the texts that go with them."""

    pull: dict[str, Any]
    comment: str
    status: page.Check
    repair: dict[str, Any]
    fix: str
    whole: str


@dataclass(frozen=True, slots=True)
class Deploy:
    """What Alembic says about a tree: the output of `heads` and of `upgrade head`."""

    heads: str
    upgrade: str


def play(stage: Stage, tell: Teller) -> str:
    """Play the whole story and save its pages. Gives the address of the developer's pull request.

    Raises:
        DemoFailedError: something was not as it should be.
    """
    number = _two_people_work(stage, tell)
    before = _what_a_deploy_would_get(stage, tell)
    verdict = _onehead_answers(stage, tell, number)
    after, comment, status = _the_repair_is_merged(stage, tell, verdict)
    _save(stage, verdict, before, after, comment, status)
    return str(verdict.pull["html_url"])


def _two_people_work(stage: Stage, tell: Teller) -> int:
    project = stage.project
    tell.step("A project on a Forgejo, with onehead beside it")
    tell.say(f"{project.repository.full_name} on {project.forgejo.url} ({project.forgejo.name}), migrations 017 → 018.")
    tell.say(f"onehead serve listens at {stage.service.url}; a webhook with a secret leads there.")

    tell.step("A developer pushes the branch oauth and opens a pull request")
    sha = project.push_branch(
        "oauth", merged(revision("020", "018", "oauth_accounts"), revision("021", "020", "oauth_tokens"))
    )
    number = int(project.open_pull("oauth", title="Log in with OAuth", body="Two new tables.")["number"])
    tell.say(f"020 → 021, after 018. Pull request #{number}, commit {sha[:10]}.")
    status = stage.wait_for("the commit status of oauth", lambda: _status(stage, sha, "success", "failure"))
    _expect(status.state == "success", f"the status of oauth should be success before main moves: {status}")
    tell.good(f"status onehead: {status.state}. {status.description}")
    return number


def _what_a_deploy_would_get(stage: Stage, tell: Teller) -> Deploy:
    tell.step("Meanwhile somebody else pushes to main")
    # What was said about oauth must be over, so that the webhook quoted below is that of main.
    stage.project.forgejo.wait_until_quiet()
    seen = len(stage.service.log())
    sha = stage.project.copy.commit(revision("019", "018", "player_teams"), "Player teams")
    stage.project.copy.push()
    tell.say(f"019, also after 018. Commit {sha[:10]}. Git merges main and oauth without a conflict.")
    tell.say("What the next deploy would get, asked of Alembic itself in the merged tree:")
    tree = MergedTree(stage.project.copy, "oauth", stage.folder / "before")
    heads, output = tree.heads()
    tell.command("alembic heads", output)
    _expect(sorted(heads) == ["019", "021"], f"Alembic should find the heads 019 and 021, but finds {heads}")
    # The database of the story is in use: it stands at 018.
    prepared = tree.alembic("upgrade", "018")
    _expect(prepared.code == 0, f"alembic upgrade 018 failed: {prepared.text}")
    upgrade = tree.alembic("upgrade", "head")
    last = upgrade.text.splitlines()[-1] if upgrade.text else ""
    tell.command("alembic upgrade head", last)
    _expect(upgrade.code != 0, "alembic upgrade head should fail on two heads, but did not")
    tell.bad("2 heads: the deploy would stop here, again and again.")

    tell.step("onehead hears of it")
    name = stage.project.repository.full_name
    line = stage.wait_for(
        "the webhook of the push to main",
        lambda: next((each for each in stage.service.log(seen) if "kind=push" in each and "looked at" in each), ""),
    )
    tell.say("The push came as a webhook; its signature was verified before anything was read from it. In its log:")
    tell.quote(line)
    _forged_webhook_is_refused(stage, name)
    tell.good("the same from a stranger, signed with another secret: 401, and nothing is done.")
    return Deploy(output, last)


def _forged_webhook_is_refused(stage: Stage, repository: str) -> None:
    headers = {"X-Forgejo-Event": "push", "X-Forgejo-Event-Type": "push", "X-Forgejo-Signature": "00" * 32}
    content = {"ref": "refs/heads/main", "repository": {"full_name": repository}}
    answer = httpx.post(f"{stage.service.url}/hooks/forgejo", json=content, headers=headers, trust_env=False)
    _expect(answer.status_code == 401, f"a forged webhook should be answered with 401, not {answer.status_code}")


def _onehead_answers(stage: Stage, tell: Teller, number: int) -> Verdict:
    tell.step("What onehead did")
    project = stage.project
    repair = stage.wait_for("the repair pull request", lambda: next(iter(stage.repairs()), None))
    _expect(repair["base"]["ref"] == "oauth", f"the repair should go into oauth, not {repair['base']['ref']}")
    [comment] = stage.wait_for("the comment", lambda: stage.comments(number))
    pull = project.pull(number)
    status = stage.wait_for("the red status", lambda: _status(stage, pull["head"]["sha"], "failure"))
    branch = repair["head"]["ref"]
    project.copy.git("fetch", "-q", "origin")
    fix = project.copy.git("show", "--format=", f"origin/{branch}")
    whole = project.copy.git("diff", f"origin/oauth...origin/{branch}")
    tell.bad(f"status onehead on #{number}: {status.state}. {status.description}")
    tell.good(f"pull request #{repair['number']}: {repair['title']}")
    tell.say(f"{repair['html_url']}, from {branch} into oauth. The commit with the fix:")
    tell.quote(fix)
    tell.blank()
    tell.good(f"comment on #{number}, {pull['html_url']}:")
    text = str(comment["body"])
    tell.quote(_MARKER.sub("", text))
    for file, content in {
        "comment.md": text,
        "pull-request.md": f"# {repair['title']}\n\n{repair['body']}\n\n```diff\n{whole}\n```\n",
    }.items():
        (stage.out / file).write_text(content, encoding="utf-8")
    return Verdict(pull, text, status, repair, fix, whole)


def _the_repair_is_merged(stage: Stage, tell: Teller, verdict: Verdict) -> tuple[Deploy, str, page.Check]:
    tell.step(f"The developer merges #{verdict.repair['number']}")
    number = int(verdict.pull["number"])
    stage.project.merge(verdict.repair["number"])
    tree = MergedTree(stage.project.copy, "oauth", stage.folder / "after")
    heads, output = tree.heads()
    tell.say("What the next deploy would get now:")
    tell.command("alembic heads", output)
    _expect(heads == ["021"], f"Alembic should find the one head 021, but finds {heads}")
    upgrade = tree.alembic("upgrade", "head")
    _expect(upgrade.code == 0, f"alembic upgrade head should run, but failed: {upgrade.text}")
    current = tree.alembic("current")
    tell.command("alembic upgrade head && alembic current", current.text)
    _expect(current.text == "021 (head)", f"the database should be at 021, but Alembic says {current.text!r}")
    tell.good("1 head: the deploy runs.")

    comment = stage.wait_for("the comment to say that it is resolved", lambda: _resolved(stage, number))
    tip = stage.project.pull(number)["head"]["sha"]
    status = stage.wait_for("the green status", lambda: _status(stage, tip, "success"))
    _expect(stage.repairs() == [], "no repair should be open any more")
    tell.good(f"the comment on #{number} now says:")
    tell.quote(_MARKER.sub("", comment))
    tell.good(f"status onehead on #{number}: {status.state}. {status.description}")
    (stage.out / "comment-resolved.md").write_text(comment, encoding="utf-8")
    return Deploy(output, current.text), comment, status


def _save(stage: Stage, verdict: Verdict, before: Deploy, after: Deploy, comment: str, status: page.Check) -> None:
    repository, bot = stage.project.repository.full_name, stage.bot.name
    spoken = page.entry(bot, verdict.comment, repository)
    (stage.out / "comment.html").write_text(page.page("onehead's comment", spoken), encoding="utf-8")
    number, repair = verdict.pull["number"], verdict.repair
    parts = [
        page.section(
            "What the next deploy would get",
            "main has 019, the branch oauth has 020 and 021, all after 018. Git merges them without a conflict.",
            page.terminal([("alembic heads", before.heads), ("alembic upgrade head", before.upgrade)]),
        ),
        "<section>",
        page.pull_head(verdict.pull),
        page.entry(verdict.pull["user"]["login"], verdict.pull["body"], repository),
        spoken,
        page.check(verdict.status),
        "</section><section>",
        page.pull_head(repair),
        page.entry(bot, repair["body"], repository),
        page.changes("The commit with the fix", verdict.fix),
        "</section>",
        page.section(
            f"After #{repair['number']} was merged",
            f"One head again. The comment on #{number} was edited in place, and its check is green.",
            page.terminal([("alembic heads", after.heads), ("alembic upgrade head && alembic current", after.upgrade)]),
            page.entry(bot, comment, repository),
            page.check(status),
        ),
    ]
    (stage.out / page.WHOLE).write_text(page.page(f"onehead at work · {repository}", *parts), encoding="utf-8")


def _status(stage: Stage, sha: str, *states: str) -> page.Check | None:
    """The `onehead` status of a commit once it is one of these."""
    found, description = stage.status(sha)
    return page.Check(found, description) if found in states else None


def _resolved(stage: Stage, number: int) -> str:
    [comment] = stage.comments(number)
    return str(comment["body"]) if "Repaired" in comment["body"] else ""


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise DemoFailedError(otherwise[0].upper() + otherwise[1:] + ".")
