"""A forge with people and a onehead: performs moves, and shows what people see of it.

Commits are made in the bare repositories themselves, by one git process each, and announced to the forge as its git
door announces a push; everything else goes through the forge's REST API.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
from starlette.types import ASGIApp

from onehead.forge import intents
from tests.simulation.chains import Reader, Seen
from tests.simulation.moves import (
    COLLEAGUE,
    OWNER,
    STRANGER,
    DeleteBranch,
    EditPull,
    EditSaid,
    ForceBack,
    LoseWebhooks,
    MergePull,
    MergeRepair,
    Move,
    OpenPull,
    Push,
    Repair,
    Restart,
    Say,
    Sweep,
    Tag,
    TurnRepair,
)
from tests.simulation.service import SECRET, Service
from tests.simulation.view import PullView, RepositoryView
from tests.simulation.walk import MAIN, POLICY, beginning
from tests.standin import gitside, issue_shapes
from tests.standin.deliveries import chosen_events
from tests.standin.server import StandinServer
from tests.standin.world import ZERO_SHA, Hook, Issue, Repository, Status, Timing, Token, User

OURS = "onehead/"
SCOPES = frozenset({"write:repository", "write:issue", "read:user"})
EVENTS = ("push", "create", "delete", "pull_request", "issue_comment", "pull_request_comment")


@dataclass
class Site:
    """One repository of a place, with the walk's names for what is in it."""

    repository: Repository
    fork: Repository
    reader: Reader
    issue: int
    pulls: dict[str, int] = field(default_factory=dict)  # the walk's key → number
    said: dict[str, tuple[int, str]] = field(default_factory=dict)  # the walk's name → (comment, key)
    expected: dict[tuple[str, str], str] = field(default_factory=dict)  # (repository, branch) → a person's last commit

    @property
    def keys(self) -> dict[int, str]:
        return {number: key for key, number in self.pulls.items()}


def beside(server: StandinServer, bot: User, folder: Path, covered: list[str]) -> Service:
    """A onehead in this process."""
    return Service(server.url, server.forge.add_token(bot, "bot", SCOPES), folder, covered)


class Onehead(Protocol):
    """What a place needs of the onehead beside it.

    Attributes:
        hook_url: where it takes webhooks.
        idle: whether it has nothing to do.
        runs: how many it has ended.
        defects: what it failed with that is a matter of neither forge nor git.
        writes: every request that wrote something.
    """

    @property
    def runs(self) -> int: ...

    @property
    def defects(self) -> list[BaseException]: ...

    @property
    def hook_url(self) -> str: ...

    @property
    def idle(self) -> bool: ...

    @property
    def writes(self) -> list[str]: ...

    def sweep(self, names: Collection[str] | None = None) -> None: ...

    def restart(self, *, empty: bool) -> None: ...

    def stop(self) -> None: ...


class Place:
    """One stand-in forge, its people, and the onehead that looks after it."""

    def __init__(
        self,
        name: str,
        repositories: Mapping[str, str],
        folder: Path,
        born: int,
        *,
        hooks: bool,
        service: Callable[[StandinServer, User, Path, list[str]], Onehead] = beside,
        around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        self.name = name
        self.born = born  # seconds since 1970; every commit of a person is some minutes later
        timing = Timing(push_update=0.0, conflict_check=0.0, delivery=(0.0, 0.004))
        self.server = StandinServer(timing, around=around)
        self.forge = self.server.forge
        people = {who: self.forge.add_user(who) for who in (OWNER, COLLEAGUE, STRANGER)}
        self.bot = self.forge.add_user("onehead-bot")
        tokens = {who: self.forge.add_token(user, who, frozenset({"all"})) for who, user in people.items()}
        self.people = people
        self.api = {who: _client(self.server.url, token) for who, token in tokens.items()}
        covered = [f"{OWNER}/{each}" for each in repositories]
        self.service = service(self.server, self.bot, folder / name, covered)
        seen: Seen = {}
        self.sites: dict[str, Site] = {}
        for each in repositories:
            self.sites[each] = self._site(each, repositories[each], seen, hooks=hooks)
        self.rest()

    def _site(
        self, name: str, policy: str, seen: dict[str, tuple[str, tuple[str, ...]] | None], *, hooks: bool
    ) -> Site:
        repository = self.forge.add_repository(self.people[OWNER], name)
        repository.collaborators[self.people[COLLEAGUE].id] = "write"
        repository.collaborators[self.bot.id] = "admin"  # so that the sweep may ask what people may do
        if hooks:
            hook = Hook(1, self.service.hook_url, "json", SECRET, events=chosen_events(EVENTS), active=True)
            repository.hooks[1] = hook
        site = Site(repository, repository, Reader(repository.path, seen), 0)
        self._push(site, Push(MAIN, "", beginning(name), who=OWNER), 0)
        if "release/*" in policy:
            self._push(site, Push("release/1", MAIN, {"release-1.txt": "A release.\n"}, who=OWNER), 0)
        self.forge_rest()
        site.fork = self.forge.add_repository(self.people[STRANGER], name, source=repository)
        (site.fork.path / "objects/info/alternates").write_text(f"{repository.path}/objects\n")
        site.reader = Reader(site.fork.path, seen)  # sees what is in either
        body = {"title": "Deploys crash", "body": "Multiple head revisions are present."}
        answer = self.api[OWNER].post(f"/repos/{repository.full_name}/issues", json=body)
        site.issue = answer.json()["number"]
        return site

    # At rest

    def forge_rest(self) -> None:
        while not self.forge.idle:
            time.sleep(0.001)

    def rest(self, seconds: float = 120.0) -> None:
        """Wait until neither the forge nor onehead has anything left to do."""
        deadline = time.monotonic() + seconds
        while True:
            seen = len(self.forge.world.deliveries), self.service.runs
            if self.forge.idle and self.service.idle and self.forge.idle:
                if seen == (len(self.forge.world.deliveries), self.service.runs):
                    break
                continue
            assert time.monotonic() < deadline, f"{self.name} does not come to rest"
            time.sleep(0.001)
        if self.service.defects:
            raise self.service.defects[0]

    def sweep(self, names: Collection[str] | None = None) -> list[str]:
        """Sweep some repositories (short names; `None`: all) and give what that wrote."""
        before = len(self.service.writes)
        refs = self._refs()
        self.service.sweep(None if names is None else {f"{OWNER}/{name}" for name in names})
        self.rest()
        after = self._refs()
        pushed = [f"PUSH {key} {after.get(key, 'gone')}" for key in sorted(refs.keys() | after.keys())]
        moved = [line for line in pushed if (key := line.split()[1]) and refs.get(key) != after.get(key)]
        return [*self.service.writes[before:], *moved]

    def _refs(self) -> dict[str, str]:
        return {
            f"{repository.full_name}:{ref}": sha
            for site in self.sites.values()
            for repository in (site.repository, site.fork)
            for ref, sha in repository.refs.items()
            if ref.startswith("refs/heads/")
        }

    def stop(self) -> None:
        self.service.stop()
        for client in self.api.values():
            client.close()
        self.server.stop()

    # Moves

    def perform(self, move: Move) -> str:
        """Do a move and say what came of it, in a word that is the same in every place."""
        match move.act:
            case LoseWebhooks(lost):
                self.forge_rest()
                self.forge.world.timing.lose_webhooks = lost
            case Restart(empty):
                self.service.restart(empty=empty)
            case Sweep():
                self.service.sweep()
            case _:
                return self._in(self.sites[move.repository], move)
        return ""

    def _in(self, site: Site, move: Move) -> str:
        match move.act:
            case Push() as push:
                self._push(site, push, move.number)
            case ForceBack(branch, to):
                self._set(site, site.repository, self.people[OWNER], branch, self._commit(site, to))
            case DeleteBranch(branch, fork):
                self._set(site, site.fork if fork else site.repository, self.people[OWNER], branch, ZERO_SHA)
            case Tag(branch, name):
                sha = site.repository.tip(branch)
                gitside.run(site.repository.path, "update-ref", f"refs/tags/{name}", sha)
                change = gitside.Received(ZERO_SHA, sha, f"refs/tags/{name}")
                self.forge.pushes.received(site.repository, self.people[OWNER], [change])
            case _:
                return self._in_pulls(site, move)
        return ""

    def _in_pulls(self, site: Site, move: Move) -> str:
        path = f"/repos/{site.repository.full_name}"
        match move.act:
            case OpenPull() as wanted:
                return self._open(site, wanted)
            case EditPull(key, fields):
                return self._edit(site, site.pulls[key], dict(fields))
            case MergePull(key, style, delete):
                return self._merge(site, site.pulls[key], style, delete=delete)
            case MergeRepair(repair, style):
                return self._merge(site, self.repair(site, repair), style, delete=True)
            case TurnRepair(repair, state):
                return self._edit(site, self.repair(site, repair), {"state": state})
            case Say(key, name, text, who):
                number = site.issue if key == "I" else site.pulls[key]
                answer = self.api[who].post(f"{path}/issues/{number}/comments", json={"body": text})
                if answer.status_code == 201:
                    site.said[name] = answer.json()["id"], key
                return str(answer.status_code)
            case EditSaid(name, text):
                return self._ask(OWNER, "PATCH", f"{path}/issues/comments/{site.said[name][0]}", {"body": text})
        return ""

    def _ask(self, who: str, method: str, path: str, body: dict[str, Any]) -> str:
        return str(self.api[who].request(method, path, json=body).status_code)

    def _edit(self, site: Site, number: int, fields: dict[str, str]) -> str:
        issue = site.repository.issues[number]
        pull = issue.pull
        if fields.get("state") == "open" and pull is not None and issue.is_closed:
            # The button on the page is not there without both branches, and takes over what was pushed meanwhile; the
            # API does not care.
            head = pull.head_repository
            if head is None or not (head.tip(pull.head_branch) and site.repository.tip(pull.base_branch)):
                return "no button"
            with self.forge.world.lock:
                self.forge.pulls.store_head(site.repository, issue, pull)
        return self._ask(OWNER, "PATCH", f"/repos/{site.repository.full_name}/pulls/{number}", fields)

    def _open(self, site: Site, wanted: OpenPull) -> str:
        self.forge_rest()
        head = f"{STRANGER}:{wanted.head}" if wanted.fork else wanted.head
        body = {"head": head, "base": wanted.base, "title": wanted.title, "body": ""}
        answer = self.api[wanted.who].post(f"/repos/{site.repository.full_name}/pulls", json=body)
        if answer.status_code == 201:
            number = site.pulls[wanted.key] = answer.json()["number"]
            if wanted.edits:
                path = f"/repos/{site.repository.full_name}/pulls/{number}"
                return self._ask(wanted.who, "PATCH", path, {"allow_maintainer_edit": True})
        return str(answer.status_code)

    def _merge(self, site: Site, number: int, style: str, *, delete: bool) -> str:
        while not (self.forge.later.idle and self.forge.checks.idle):
            time.sleep(0.001)
        body = {"Do": style, "delete_branch_after_merge": delete}
        path = f"/repos/{site.repository.full_name}/pulls/{number}"
        code = self._ask(OWNER, "POST", f"{path}/merge", body)
        issue = site.repository.issues[number]
        if code == "200" and issue.pull is not None and issue.pull.merge_commit:
            site.expected[site.repository.full_name, issue.pull.base_branch] = issue.pull.merge_commit
            if delete and issue.pull.head_repository and not issue.pull.head_repository.tip(issue.pull.head_branch):
                site.expected.pop((issue.pull.head_repository.full_name, issue.pull.head_branch), None)
        return code

    def repair(self, site: Site, repair: Repair) -> int:
        """The number of the newest pull request of a repair."""
        wanted = self.spelled(site, repair.head), repair.base
        found = [
            issue.number
            for issue in site.repository.issues.values()
            if issue.pull and (issue.pull.head_branch, issue.pull.base_branch) == wanted
        ]
        return max(found)

    def spelled(self, site: Site, branch: str) -> str:
        """A branch name of the walk, where `pr-P7` stands for a number, as this forge has it."""
        stem, dash, key = branch.rpartition("/pr-")
        return f"{stem}{dash}{site.pulls[key]}" if dash else branch

    def symbol(self, site: Site, branch: str) -> str:
        """The other way round."""
        stem, dash, number = branch.rpartition("/pr-")
        return f"{stem}{dash}{site.keys[int(number)]}" if dash and number.isdecimal() else branch

    # Git

    def _commit(self, site: Site, name: str) -> str:
        branch, _, depth = name.partition("~")
        repository = site.repository
        tip = repository.tip(self.spelled(site, branch))
        line = gitside.text(repository.path, "rev-list", "--first-parent", "--max-count=5", tip).splitlines()
        return line[min(int(depth or 0), len(line) - 1)]

    def _push(self, site: Site, push: Push, number: int) -> None:
        repository = site.fork if push.fork else site.repository
        branch = self.spelled(site, push.branch)
        if not push.start:
            parents = []
        elif push.start == push.branch:
            parents = [repository.tip(branch)]
        else:
            parents = [self._commit(site, push.start)]
        tree = ""
        if push.merges:
            parents.append(self._commit(site, push.merges))
            tree = gitside.text(repository.path, "rev-parse", f"{parents[-1]}^{{tree}}")
        user = self.people[push.who]
        when = f"{self.born + number * 60} +0000"
        who = f"{user.name.title()} <{user.email}> {when}"
        words = f"Move {number}\n"
        stream = [f"commit refs/simulation/{number}", "mark :1", f"author {who}", f"committer {who}"]
        stream += [f"data {len(words)}", words]
        if parents:
            stream += [f"from {parents[0]}", *(f"merge {sha}" for sha in parents[1:])]
        if tree:
            stream.append(f'M 040000 {tree} ""')
        for path, text in push.files.items():
            if text is None:
                stream.append(f"D {path}")
            else:
                stream += [f"M 100644 inline {path}", f"data {len(text.encode())}", text]
        stream += ["", "get-mark :1", ""]
        run = subprocess.run(
            ["git", "fast-import", "--quiet", "--force"],
            cwd=repository.path,
            env=gitside.environment(),
            input="\n".join(stream).encode(),
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr.decode()
        self._set(site, repository, user, branch, run.stdout.decode().strip())

    def _set(self, site: Site, repository: Repository, user: User, branch: str, after: str) -> None:
        ref = f"refs/heads/{branch}"
        with self.forge.world.lock:
            before = repository.refs.get(ref, ZERO_SHA)
            if before == after:
                return
            if after == ZERO_SHA:
                gitside.run(repository.path, "update-ref", "-d", ref)
                site.expected.pop((repository.full_name, branch), None)
            else:
                gitside.run(repository.path, "update-ref", ref, after)
                site.expected[repository.full_name, branch] = after
            self.forge.pushes.received(repository, user, [gitside.Received(before, after, ref)])

    # What people see

    def view(self, name: str) -> RepositoryView:
        """What people see of a repository when nothing moves."""
        site = self.sites[name]
        repository = site.repository
        branches = repository.branches()
        ours = {branch for branch in branches if branch.startswith(OURS)}
        pulls = {key: self._pull_view(site, key, repository.issues[number]) for key, number in site.pulls.items()}
        repairs, closed = [], []
        for issue in repository.issues.values():
            pull = issue.pull
            if pull is None or issue.poster is not self.bot or pull.merged_at is not None:
                continue
            repair = Repair(self.symbol(site, pull.head_branch), pull.base_branch)
            if not issue.is_closed:
                repairs.append(repair)
            elif pull.head_branch in ours and not self._said_goodbye(issue):
                closed.append(repair)
        return RepositoryView(
            name,
            {branch: site.reader.chain(sha) for branch, sha in branches.items() if branch not in ours},
            {b: site.reader.chain(sha) for b, sha in site.fork.branches().items() if b.startswith("theirs")},
            pulls,
            tuple(sorted(repairs, key=repr)),
            tuple(closed),
            tuple(sorted(self.symbol(site, branch) for branch in ours)),
            self.targets(name),
            self.policy(site, MAIN),
            tuple(site.said),
        )

    def _said_goodbye(self, issue: Issue) -> bool:
        marks = [intents.parse(note.body) for note in issue.comments if note.poster is self.bot]
        return any(mark is not None and mark.kind == "closed" for mark in marks)

    def _pull_view(self, site: Site, key: str, issue: Issue) -> PullView:
        pull = issue.pull
        assert pull is not None
        state = "merged" if pull.merged_at else "closed" if issue.is_closed else "open"
        head = issue_shapes.head_sha(site.repository, issue, pull)
        status = self.status(site, head)
        return PullView(
            key,
            pull.head_branch,
            pull.base_branch,
            pull.head_repository is not site.repository,
            state,
            issue_shapes.is_draft(issue),
            status is not None and status.state == "success",
            pull.allow_maintainer_edit,
            issue.poster.name,
            issue.title,
        )

    def status(self, site: Site, sha: str) -> Status | None:
        """The onehead status of a commit that counts."""
        found = [each for each in site.repository.statuses.get(sha, []) if each.context == "onehead"]
        return max(found, key=lambda each: each.id, default=None)

    def policy(self, site: Site, branch: str) -> str:
        """The text of a branch's policy."""
        return site.reader.file(site.repository.tip(branch), POLICY)

    def targets(self, name: str) -> tuple[str, ...]:
        """The deployed branches, as the walk's policies name them."""
        site = self.sites[name]
        release = [b for b in site.repository.branches() if b.startswith("release/")]
        return (MAIN, *release) if "release/*" in self.policy(site, MAIN) else (MAIN,)


def _client(url: str, token: Token) -> httpx.Client:
    headers = {"Authorization": f"token {token.secret}"}
    return httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60, trust_env=False)
