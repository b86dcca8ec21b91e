"""What has to be true of a repository whenever nothing moves, judged without onehead's own graph, plans or flows."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator

from onehead.examine.naming import DATABASES, EMAIL
from onehead.forge import intents
from onehead.service.snapshot import ENDED
from tests.simulation.canon import is_verdict
from tests.simulation.chains import Chain
from tests.simulation.place import OURS, Place, Site
from tests.standin import issue_shapes
from tests.standin.world import Issue, Pull


def broken(place: Place, name: str) -> list[str]:
    """The promises that are not kept, one sentence each."""
    court = _Court(place, name)
    return [
        *court.doubles(),
        *court.lost_work(),
        *court.statuses(),
        *court.repairs(),
        *court.branches(),
        *court.words(),
    ]


def is_well(place: Place, name: str, target: str) -> bool:
    """Whether a target has no more heads than its policy allows, and is whole."""
    return _Court(place, name).fits_alone(target)


class _Court:
    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._site: Site = place.sites[name]
        self._repository = self._site.repository
        self._targets = place.targets(name)
        self._open = [(issue, pull) for issue, pull in self._repository.open_pulls()]
        self._ours = [(issue, pull) for issue, pull in self._open if self._is_ours(issue, pull)]
        self._theirs = [(issue, pull) for issue, pull in self._open if not self._is_ours(issue, pull)]

    def _is_ours(self, issue: Issue, pull: Pull) -> bool:
        return issue.poster is self._place.bot and pull.head_branch.startswith(OURS)

    def doubles(self) -> Iterator[str]:
        """Nothing is written twice."""
        for issue in self._repository.issues.values():
            marks = [intents.parse(note.body) for note in issue.comments if note.poster is self._place.bot]
            places = Counter((mark.kind, mark.about) if mark else ("unmarked", "") for mark in marks)
            for (kind, about), count in places.items():
                if count > 1 or kind == "unmarked":
                    yield f"#{issue.number} has {count} comments of kind {kind} about {about or 'itself'}"
        for base, count in Counter(pull.base_branch for _, pull in self._ours).items():
            if count > 1:
                yield f"{count} repairs of {base} are open"

    def lost_work(self) -> Iterator[str]:
        """What a person pushed is still there, unless a person threw it away."""
        for (full_name, branch), sha in self._site.expected.items():
            repository = self._site.fork if full_name == self._site.fork.full_name else self._repository
            tip = repository.tip(branch)
            if not tip:
                if not branch.startswith(OURS):
                    yield f"the branch {branch} of {full_name} is gone, with {sha[:10]} on it"
            elif tip != sha and not self._site.reader.contains(tip, sha):
                yield f"{sha[:10]} on {branch} of {full_name} was overwritten by {tip[:10]}"

    def statuses(self) -> Iterator[str]:
        """The check of every open pull request and every target says what Alembic would; of one commit, the worst."""
        judged: list[tuple[str, str, bool | None]] = [
            (f"target {name}", self._repository.tip(name), self.fits_alone(name)) for name in self._targets
        ]
        for issue, pull in self._open:
            sha = issue_shapes.head_sha(self._repository, issue, pull)
            name = f"#{issue.number} ({pull.head_branch} into {pull.base_branch})"
            judged.append((name, sha, self._fits(issue, pull)))
        for name, sha, _ in judged:
            said = [fits for _, other, fits in judged if other == sha]
            expected = False if False in said else None if None in said else self._lone_ones_fit(sha)
            yield from self._compare(name, sha, expected)

    def _lone_ones_fit(self, sha: str) -> bool | None:
        """Branches without a pull request have a say too; whether theirs counts is a matter of their age."""
        proposed = {*self._targets, *(pull.head_branch for _, pull in self._open)}
        lone = [name for name, tip in self._repository.branches().items() if tip == sha and name not in proposed]
        return True if all(self._is_well_alone(name) for name in lone) else None

    def _compare(self, name: str, sha: str, expected: bool | None) -> Iterator[str]:
        status = self._place.status(self._site, sha)
        if status is None:
            yield f"{name} has no status on {sha[:10]}"
        elif expected is not None and (status.state == "success") != expected:
            wanted = "success" if expected else "failure"
            yield f"{name} should be {wanted}, and is {status.state}: {status.description}"

    def _allowed(self, target: str) -> int:
        policy = tomllib.loads(self._place.policy(self._site, target))
        return int(policy.get("allowed-heads", 1))

    def fits_alone(self, target: str) -> bool:
        chain = self._site.reader.chain(self._repository.tip(target))
        return chain.is_whole and len(chain.heads) <= self._allowed(target)

    def _fits(self, issue: Issue, pull: Pull) -> bool | None:
        """Whether a pull request may be merged; `None` where that is a matter of taste."""
        edited = self._is_ours(issue, pull) and self._site.reader.author(self._head(issue, pull)) != EMAIL
        if pull.base_branch not in self._targets:
            return None if edited else True
        if edited:
            after = self._merged(issue, pull)
            return after.is_whole and len(after.heads) <= self._allowed(pull.base_branch)
        if self._ignored(issue):
            return None
        brought = self._brings_trouble(issue, pull)
        if brought or brought is None:
            return None if brought is None else False
        return not any(self._same_id(issue, pull, other, theirs) for other, theirs in self._theirs)

    def _brings_trouble(self, issue: Issue, pull: Pull) -> bool | None:
        before = self._site.reader.chain(self._repository.tip(pull.base_branch))
        after = self._merged(issue, pull)
        if after.twice - before.twice or after.missing - before.missing:
            return True
        if not before.is_whole or not after.is_whole:
            return None
        allowed = self._allowed(pull.base_branch)
        if len(after.heads) <= allowed:
            return False
        return True if len(before.heads) <= allowed else None

    def _merged(self, issue: Issue, pull: Pull) -> Chain:
        tip = self._repository.tip(pull.base_branch)
        return self._site.reader.merged(tip, self._head(issue, pull)).chain

    def _head(self, issue: Issue, pull: Pull) -> str:
        return issue_shapes.head_sha(self._repository, issue, pull)

    def _same_id(self, issue: Issue, pull: Pull, other: Issue, theirs: Pull) -> bool:
        """Whether an older open pull request carries another revision under the same id."""
        drafts = issue_shapes.is_draft(issue) or issue_shapes.is_draft(other)
        if drafts or theirs.base_branch != pull.base_branch or other.number >= issue.number:
            return False
        if self._is_ours(issue, pull):
            return False
        target = self._site.reader.chain(self._repository.tip(pull.base_branch))
        mine = {each.id: each.blob for each in self._merged(issue, pull).files if each.id not in target.ids}
        return any(
            each.id in mine and each.blob != mine[each.id]
            for each in self._merged(other, theirs).files
            if each.id not in target.ids
        )

    def _ignored(self, issue: Issue) -> bool:
        found = [intents.parse(note.body) for note in issue.comments if note.poster is self._place.bot]
        choices = [mark.facts["ignored"] for mark in found if mark and "ignored" in mark.facts]
        return bool(choices) and choices[-1] is not None

    def repairs(self) -> Iterator[str]:
        """Every open repair mends something that is there and is not mended yet."""
        for issue, pull in self._ours:
            base, name = pull.base_branch, f"the repair #{issue.number} of {pull.base_branch}"
            if not self._repository.tip(base):
                yield f"{name} mends a branch that is gone"
                continue
            if base in self._targets:
                if self.fits_alone(base):
                    yield f"{name} mends a target that is well"
                continue
            mine = [(i, p) for i, p in self._theirs if p.head_branch == base and p.head_repository is self._repository]
            if mine:
                if all(self._needs_nothing(i, p) for i, p in mine):
                    yield f"{name} mends a pull request that is well, a draft, or goes elsewhere"
            elif self._is_well_alone(base):
                yield f"{name} mends a branch that is well"

    def _needs_nothing(self, issue: Issue, pull: Pull) -> bool:
        if pull.base_branch not in self._targets or issue_shapes.is_draft(issue):
            return True
        return self._brings_trouble(issue, pull) is False

    def _is_well_alone(self, branch: str) -> bool:
        target = self._repository.tip(self._targets[0])
        before, after = self._site.reader.chain(target), self._site.reader.merged(target, self._repository.tip(branch))
        return after.chain.is_whole and len(after.chain.heads) <= max(
            self._allowed(self._targets[0]), len(before.heads)
        )

    def branches(self) -> Iterator[str]:
        """Every branch of onehead's is proposed, declined, or holds a person's work; every ref waits for a fork."""
        proposed = {pull.head_branch for _, pull in self._open}
        for branch, sha in self._repository.branches().items():
            if not branch.startswith(OURS) or branch in proposed:
                continue
            if self._site.reader.author(sha) == EMAIL and not self._was_declined(branch):
                yield f"the branch {branch} is stale"
        for ref in self._repository.refs:
            if ref.startswith("refs/onehead/") and ref != DATABASES and not self._is_laid_ready(ref):
                yield f"{ref} is stale"

    def _is_laid_ready(self, ref: str) -> bool:
        number = ref.rpartition("/pr-")[2]
        return any(str(issue.number) == number and not self._needs_nothing(issue, pull) for issue, pull in self._theirs)

    def _was_declined(self, branch: str) -> bool:
        base = branch.removeprefix(OURS).partition("/")[2]
        if not self._repository.tip(base):
            return False
        closed = [
            issue
            for issue in self._repository.issues.values()
            if issue.pull and issue.is_closed and issue.pull.head_branch == branch and not issue.pull.merged_at
        ]
        marks = [
            intents.parse(note.body) for issue in closed for note in issue.comments if note.poster is self._place.bot
        ]
        return len(closed) > sum(
            1 for mark in marks if mark and mark.kind == "closed" and not mark.facts.get("reopened")
        )

    def words(self) -> Iterator[str]:
        """Every page that has something to say has one comment that says it; others have none, or one that ended."""
        for issue, pull in self._theirs:
            spoken = [intents.parse(note.body) for note in issue.comments if is_verdict(self._place, note)]
            state = spoken[0].facts.get("state") if spoken and spoken[0] else None
            name = f"#{issue.number} ({pull.head_branch} into {pull.base_branch})"
            if self._needs_nothing(issue, pull):
                if state == "problem" and not self._same_id_somewhere(issue, pull):
                    yield f"{name} needs nothing, and its comment tells of a problem"
            elif self._brings_trouble(issue, pull) and state in (None, ENDED, "heads-up") and not self._ignored(issue):
                yield f"{name} brings trouble, and its comment says {state or 'nothing'}"

    def last_words(self) -> Iterator[str]:
        """What is closed tells of a problem only as long as its target has one."""
        for issue in self._repository.issues.values():
            pull = issue.pull
            if pull is None or not issue.is_closed:
                continue
            spoken = [intents.parse(note.body) for note in issue.comments if is_verdict(self._place, note)]
            if any(mark and mark.facts.get("state") != ENDED for mark in spoken) and (
                pull.base_branch not in self._targets or self.fits_alone(pull.base_branch)
            ):
                yield f"#{issue.number} ({pull.head_branch} into {pull.base_branch}) is closed and tells of a problem"

    def _same_id_somewhere(self, issue: Issue, pull: Pull) -> bool:
        return any(self._same_id(issue, pull, other, theirs) for other, theirs in self._theirs)
