"""What a set-up of onehead in a Forgejo needs, beside what is there: webhook, collaborator, required check.

The comparisons are pure; `ensure_…` and `remove_…` write only where they differ, so each is safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from onehead.errors import UsageError
from onehead.examine.naming import BRANCHES, EMAIL, LABEL, LAID_READY, STATUS
from onehead.forge.admin import SYSTEM as WHOLE_SITE
from onehead.forge.admin import (
    Administration,
    BranchRule,
    HookPlace,
    Webhook,
    of_organisation,
    of_own_account,
    of_repository,
)
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import Forbidden, NotFound
from onehead.forge.intents import ForgeWriter, Marker, parse
from onehead.forge.models import MAY_WRITE, Repository, RepositoryName, User
from onehead.forge.webhooks import HOOK_PATH
from onehead.gitrepo.remote import PushStatus, delete_refs

LABEL_SAYS = "A repair by onehead: it leaves Alembic with one head"
"""Description of the label that is made; one that says something else is somebody's own."""
_LABEL_COLOR = "#2b7a78"

OLDEST = 15  # the first major version of Forgejo that is supported

EVENTS = (
    "push",
    "create",
    "delete",
    "pull_request_only",
    "pull_request_sync",
    "issue_comment",
    "pull_request_comment",
)
"""What Forgejo is asked to send. `pull_request_only` comes back as `pull_request`."""

_TOLD = frozenset(event.removesuffix("_only") for event in EVENTS)


class PartState(StrEnum):
    """How one part of a set-up is."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    LIMITED = "limited"
    UNSEEN = "can't be seen"


@dataclass(frozen=True, slots=True)
class SetupPart:
    """One part of a set-up: what it is about, how it is, and what to do, if anything: both full sentences."""

    subject: str
    standing: PartState
    says: str
    fix: str = ""

    @property
    def to_mend(self) -> bool:
        """Whether something has to be done."""
        return self.standing in {PartState.MISSING, PartState.WRONG}


def judge_version(version: str) -> SetupPart:
    """Whether a server with this answer to `/version` is a Forgejo that onehead knows.

    Forgejo adds `+gitea-1.22.0`, the Gitea it is compatible with; Gitea's own answer has no such end.
    """
    if "+gitea-" not in version:
        said = f"The server says version {version}: that is a Gitea, not a Forgejo."
        fix = "Give the address of a Forgejo; onehead does not know Gitea's webhooks."
        return SetupPart("server", PartState.WRONG, said, fix)
    major = version.partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST:
        said = f"The server is Forgejo {version}; onehead needs {OLDEST} or newer."
        return SetupPart("server", PartState.WRONG, said, f"Upgrade Forgejo to {OLDEST} or newer.")
    return SetupPart("server", PartState.OK, f"The server is Forgejo {version.partition('+')[0]}.")


def hook_url(service_url: str) -> str:
    """Where Forgejo sends its events, for a service at this address."""
    return service_url.rstrip("/") + HOOK_PATH


def is_ours(hook: Webhook, service_url: str) -> bool:
    """Whether a webhook leads to our door under the service's address, over http or https."""
    there, wanted = urlsplit(hook.url), urlsplit(hook_url(service_url))
    return (there.netloc.lower(), there.path.rstrip("/")) == (wanted.netloc.lower(), wanted.path)


def faults(hook: Webhook, service_url: str) -> tuple[str, ...]:
    """What keeps a webhook of ours from doing its work, each as a clause; none when all is well."""
    found = []
    if not hook.active:
        found.append("it is switched off")
    if missing := sorted(_TOLD - hook.events):
        found.append(f"it does not send {', '.join(missing)}")
    if hook.content_type != "json":
        found.append(f"it sends {hook.content_type}, not JSON")
    if hook.branch_filter not in {"", "*", "**"}:
        found.append(f"its branch filter {hook.branch_filter!r} hides branches")
    if hook.url != hook_url(service_url):
        found.append(f"it sends to {hook.url}")
    if hook.kind != "forgejo":
        found.append(f"its type is {hook.kind}, and that can't be changed")
    return tuple(found)


def judge_hook(hooks: list[Webhook], place: HookPlace, service_url: str) -> SetupPart:
    """Whether a place's webhooks bring its events to the service."""
    ours = [hook for hook in hooks if is_ours(hook, service_url)]
    subject = f"webhook of {place.words}"
    if not ours:
        said = f"No webhook there leads to {hook_url(service_url)}."
        return SetupPart(subject, PartState.MISSING, said, "Run onehead install.")
    if any(not faults(hook, service_url) for hook in ours):
        return SetupPart(subject, PartState.OK, f"It is active and sends every event to {hook_url(service_url)}.")
    wrong = faults(ours[0], service_url)
    fix = "Run onehead install --new-secret." if ours[0].kind != "forgejo" else "Run onehead install."
    return SetupPart(subject, PartState.WRONG, f"It does not work: {'; '.join(wrong)}.", fix)


def judge_rule(rule: BranchRule | None, branch: str) -> SetupPart:
    """Whether merges into a branch wait for our check."""
    subject = f"required check on {branch}"
    fix = "Run onehead install --require-status, or leave it: the check is then advice only."
    if rule is None:
        return SetupPart(subject, PartState.UNSEEN, "No rule protects it, so nothing waits for the check.", fix)
    if not rule.checks:
        return SetupPart(subject, PartState.UNSEEN, f"The rule {rule.name!r} waits for no check.", fix)
    if not rule.contexts:
        return SetupPart(subject, PartState.OK, f"The rule {rule.name!r} waits for every check, this one included.")
    if not any(fnmatchcase(STATUS, pattern) for pattern in rule.contexts):
        return SetupPart(subject, PartState.UNSEEN, f"The rule {rule.name!r} waits for other checks only.", fix)
    return SetupPart(subject, PartState.OK, f"The rule {rule.name!r} waits for it.")


def ensure_hook(
    admin: Administration, place: HookPlace, service_url: str, secret: str, *, anew: bool = False
) -> tuple[Webhook, str]:
    """One working webhook of ours at a place, and what was done: `created`, `replaced`, `mended` or nothing (empty).

    With `anew`, it is made in any case, with this secret, and those there were are deleted.
    """
    ours = [hook for hook in admin.hooks(place) if is_ours(hook, service_url)]
    if not ours or anew:
        # Made first, deleted afterwards: an event in between comes twice, which is harmless, and not never.
        made = admin.create_hook(place, hook_url(service_url), secret, EVENTS)
        for hook in ours:
            admin.delete_hook(place, hook.id)
        return made, "replaced" if ours else "created"
    kept = next((hook for hook in ours if not faults(hook, service_url)), ours[0])
    if not faults(kept, service_url):
        return kept, ""
    if kept.kind != "forgejo":
        raise UsageError(
            f"The webhook of {place.words} is of type {kept.kind}, and Forgejo can't change the type.",
            "Run the same command with --new-secret: it makes a new webhook and deletes that one.",
        )
    return admin.mend_hook(place, kept, hook_url(service_url), EVENTS), "mended"


def ensure_webhook(api: ForgejoApi, repository: Repository, service_url: str, secret: str) -> bool:
    """Make or mend the repository's own webhook, where the account is an administrator and it is needed.

    Not needed where a webhook of the owner or of the site leads to the service. The account may not be allowed to
    see those; then the repository gets its own, for an event that comes twice is harmless and one that never
    comes is not. Whether something was written, is the answer.
    """
    if not repository.permissions.admin:
        return False
    admin, own = Administration(api.connection), of_repository(repository.name)
    try:
        has_own = any(is_ours(hook, service_url) for hook in admin.hooks(own))
        if not has_own and serving(admin, repository.name, service_url):
            return False
        return bool(ensure_hook(admin, own, service_url, secret)[1])
    except (Forbidden, UsageError):
        return False


def serving(admin: Administration, name: RepositoryName, service_url: str, me: User | None = None) -> list[HookPlace]:
    """The wider places whose webhook brings a repository's events to the service, as far as the account may see.

    Of its own, `me`, it sees the webhooks.
    """
    is_own = me is not None and me.login.lower() == name.owner.lower()
    owner = of_own_account(name.owner) if is_own else of_organisation(name.owner)
    return [place for place in (owner, WHOLE_SITE) if _works(admin, place, service_url)]


def _works(admin: Administration, place: HookPlace, service_url: str) -> bool:
    try:
        return any(is_ours(hook, service_url) and not faults(hook, service_url) for hook in admin.hooks(place))
    except (Forbidden, NotFound):
        return False


def has_proven_access(admin: Administration, api: ForgejoApi, repository: RepositoryName, login: str) -> bool:
    """Whether Forgejo's answers prove that an account may push.

    `write` alone does not: a team that may write issues gives it too, and no code. Of a collaborator and of an
    administrator it is true.
    """
    try:
        level = api.permission_of(repository, login)
    except NotFound:
        return False
    return level in MAY_WRITE and (level != "write" or admin.is_collaborator(repository, login))


def ensure_access(admin: Administration, api: ForgejoApi, repository: RepositoryName, login: str) -> bool:
    """An account may write to a repository for certain; whether it had to be made a collaborator for that."""
    if has_proven_access(admin, api, repository, login):
        return False
    admin.add_collaborator(repository, login)
    return True


def ensure_required(admin: Administration, repository: Repository) -> str:
    """Let merges into the default branch wait for our check, and change nothing else; what was done, a clause if any.

    Raises:
        UsageError: the rule there has a list of checks that is switched off; switching it on would do more.
    """
    name, branch = repository.name, repository.default_branch
    rule = admin.rule_for(name, branch)
    if judge_rule(rule, branch).standing is PartState.OK:
        return ""
    if rule is None:
        admin.create_rule(name, branch, STATUS)
        return f"made a rule for {branch} that lets merges wait for it (and forbids force pushes, as every rule does)"
    if not rule.checks and rule.contexts:
        raise UsageError(
            f"The rule {rule.name!r} of {name} lists the checks {', '.join(rule.contexts)}, switched off.",
            f"Switch them on or empty the list (Settings → Branches), then run this again to add {STATUS}.",
        )
    admin.set_contexts(name, rule.name, [*rule.contexts, STATUS])
    return f"added it to the rule {rule.name!r}, whose other settings stay as they are"


def remove_required(admin: Administration, repository: Repository) -> str:
    """No merge waits for our check any more; a rule that says nothing else goes. What was done, a clause if any."""
    rule = admin.rule_for(repository.name, repository.default_branch)
    if rule is None or not rule.checks or STATUS not in rule.contexts:
        return ""
    rest = [pattern for pattern in rule.contexts if pattern != STATUS]
    if not rest and not rule.other and rule.name == repository.default_branch:
        admin.delete_rule(repository.name, rule.name)
        return f"deleted the rule {rule.name!r}, which required nothing else"
    admin.set_contexts(repository.name, rule.name, rest)
    return f"took it out of the rule {rule.name!r}, whose other settings stay as they are"


def ensure_label(admin: Administration, repository: RepositoryName) -> bool:
    """A label for repair pull requests; whether it had to be made. One of that name is used as it is."""
    if any(label.name == LABEL for label in admin.labels(repository)):
        return False
    admin.create_label(repository, LABEL, _LABEL_COLOR, LABEL_SAYS)
    return True


def remove_label(admin: Administration, repository: RepositoryName) -> bool:
    """No label of ours is left; whether there was one. One that describes itself otherwise stays."""
    found = [label for label in admin.labels(repository) if (label.name, label.description) == (LABEL, LABEL_SAYS)]
    for label in found:
        admin.delete_label(repository, label.id)
    return bool(found)


def remove_hooks(admin: Administration, place: HookPlace, service_url: str) -> int:
    """No webhook of a place leads to the service any more; the number of those deleted."""
    ours = [hook for hook in admin.hooks(place) if is_ours(hook, service_url)]
    for hook in ours:
        admin.delete_hook(place, hook.id)
    return len(ours)


def clean(api: ForgejoApi, repository: RepositoryName, bot: User, speaker: User) -> Iterator[str]:
    """Close the bot's open repair pull requests, delete its branches, and say each.

    A branch whose last commit is not onehead's holds a person's work: it stays, and so does its pull request.
    """
    admin, writer = Administration(api.connection), ForgeWriter(api, repository, speaker)
    tips = {tip.name: tip for tip in admin.branches(repository) if tip.name.startswith(BRANCHES)}
    ours = {name for name, tip in tips.items() if tip.author_email == EMAIL}
    for pull in list(api.open_pulls(repository)):
        same_place = pull.head.repository is not None and pull.head.repository.name == repository
        is_bots = pull.author.id == bot.id and parse(pull.body) is not None
        if same_place and is_bots and pull.head.ref in ours:
            reason = "onehead is being uninstalled from this repository, so its open repairs are closed."
            writer.close_pull(pull.number, marker=Marker("closed"), reason=reason)
            yield f"closed pull request #{pull.number}"
    for name in sorted(tips):
        if name not in ours:
            yield f"left the branch {name}: its last commit is somebody else's"
        elif writer.delete_branch(name):
            yield f"deleted the branch {name}"


def remove_refs(url: str, token: str, chosen: Callable[[str], bool]) -> Iterator[str]:
    """Delete those refs of ours that are chosen and no branches, and say each."""
    for outcome in delete_refs(url, token, f"{LAID_READY}*", chosen):
        if outcome.status in (PushStatus.OK, PushStatus.UP_TO_DATE):
            yield f"deleted the ref {outcome.ref}"
        else:
            yield f"left the ref {outcome.ref}: {outcome.text}"
