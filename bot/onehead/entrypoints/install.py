"""`onehead install`: make what onehead needs in a Forgejo, and say of each thing whether it was so already."""

from __future__ import annotations

import argparse
import os
import secrets
import time
from pathlib import Path

from onehead.entrypoints.setting_up import Site, account_named, deliveries_seen, site, webhook_secret
from onehead.errors import UsageError
from onehead.flows.ours import LABEL, STATUS
from onehead.flows.setup import ensure_hook, ensure_label, ensure_required, hook_url
from onehead.forge.administration import Webhook
from onehead.forge.errors import NotFound

_PATIENCE = 6.0  # seconds; Forgejo sends within 2.5 and gives up after 5


def run(options: argparse.Namespace) -> int:
    """Install; returns 0, everything else is an error."""
    for option, wanted, what in (
        ("--require-status", options.require_status, "a rule"),
        ("--label", options.label, "a label"),
    ):
        if wanted and options.system:
            raise UsageError(
                f"{option} does not go with --system: it would write {what} into every repository of the site.",
                "Run it once more with --owner or --repo for those that are to have it.",
            )
    with site(options) as where:
        _may_all_be_done(where, options)
        print(f"Forgejo {where.version.partition('+')[0]}, as {where.me.login}: setting up {where.place.words}.")
        if options.bot:
            _collaborators(where, options.bot)
        hook = _webhook(where, options)
        if options.require_status:
            _required(where)
        if options.label:
            _label(where)
        _try(where, hook)
        print("Next: run onehead checkup for the same place; it says whether anything is missing.")
    return 0


def _may_all_be_done(where: Site, options: argparse.Namespace) -> None:
    """Nothing is begun that the token could not finish.

    Raises:
        ForgeError: the account or a scope of its token is too weak.
    """
    where.admin.ask_to_write(where.place.path)
    if options.label:
        for repository in where.repositories:
            where.admin.ask_to_write(f"/repos/{repository.name}/labels")


def _collaborators(where: Site, bot: str) -> None:
    """The bot may write to each repository."""
    account = account_named(where.admin, bot)
    if not where.repositories:
        print(f"collaborator: not looked at for {where.place.words}; give {bot} write access where it is to help.")
    for repository in where.repositories:
        if where.api.permission_of(repository.name, account.login) in {"write", "admin", "owner"}:
            print(f"collaborator: {account.login} may write to {repository.name}: already so.")
        else:
            where.admin.add_collaborator(repository.name, account.login)
            print(f"collaborator: {account.login} may write to {repository.name} now.")


def _webhook(where: Site, options: argparse.Namespace) -> Webhook:
    """One webhook that works; its secret is told once, and only when a webhook was made with it."""
    known = webhook_secret(options)
    secret = known or secrets.token_urlsafe(32)
    hook, done = ensure_hook(where.admin, where.place, where.service_url, secret, anew=options.new_secret)
    to = hook_url(where.service_url)
    if not done:
        print(f"webhook: {where.place.words} sends every event to {to}: already so.")
        return hook
    print(f"webhook: {done}; {where.place.words} sends every event to {to} now.")
    if done == "mended":
        print("  Its secret stays: Forgejo neither tells nor changes it. --new-secret makes a webhook with a new one.")
    elif known:
        print("  It is signed with the secret that you gave.")
    else:
        _tell(secret, options.secret_file, where, hook)
    return hook


def _tell(secret: str, file: str | None, where: Site, hook: Webhook) -> None:
    """Hand over a generated secret; where that fails, the webhook is of no use to anybody."""
    if not file:
        print("  Give this to the service; it is shown only now:")
        print(f"ONEHEAD_WEBHOOK_SECRET={secret}")
        return
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(secret + "\n")
    except OSError as error:
        where.admin.delete_hook(where.place, hook.id)
        raise UsageError(
            f"The secret can't be written to {file}: {error.strerror}. The webhook was taken back.",
            "Correct the path given with --secret-file and run it again.",
        ) from error
    print(f"  Its secret is in {Path(file).resolve()}; start the service with ONEHEAD_WEBHOOK_SECRET_FILE={file}.")


def _required(where: Site) -> None:
    """Merges wait for the check, in each repository."""
    for repository in where.repositories:
        done = ensure_required(where.admin, repository)
        words = f"required check {STATUS} of {repository.name}"
        print(f"{words}: {done}." if done else f"{words}: already so.")


def _label(where: Site) -> None:
    """Repairs can be told from other pull requests in a list."""
    for repository in where.repositories:
        done = "made" if ensure_label(where.admin, repository.name) else "already so"
        print(f"label {LABEL} of {repository.name}: {done}.")


def _try(where: Site, hook: Webhook) -> None:
    """Let Forgejo send something, and ask the service whether it came."""
    name = where.place.repository
    if name is None:
        print(f"delivery: Forgejo can't try the webhook of {where.place.words}; the next push will show it.")
        return
    before = deliveries_seen(where.service_url)
    try:
        where.admin.test_hook(name, hook.id)
    except NotFound:
        print("delivery: not tried, because the repository has no commit yet.")
        return
    if before is None:
        print(f"delivery: sent, but {where.service_url}/metrics does not answer from here, so nobody can say whether")
        print("  it came. If the service does not run yet: start it. Else look at the webhook's page in Forgejo.")
        return
    print(f"delivery: {_outcome(where.service_url, before)}")


def _outcome(service_url: str, before: dict[str, float]) -> str:
    """What became of the test delivery, as the service counts it."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        now = deliveries_seen(service_url) or {}
        risen = {outcome for outcome, count in now.items() if count > before.get(outcome, 0)}
        if "bad-signature" in risen:
            return (
                "it arrived, but the signature is wrong: service and webhook have different secrets.\n"
                "  → Give the service the webhook's secret, or run install with --new-secret and --secret-file."
            )
        if risen & {"queued", "ignored"}:
            return "sent by Forgejo and accepted by the service."
        time.sleep(0.2)
    return (
        "Forgejo's test did not reach the service within six seconds.\n"
        "  → Most often Forgejo refuses to call private addresses: set ALLOWED_HOST_LIST in [webhook] of its app.ini,\n"
        "    for instance external,private, and restart Forgejo. The webhook's page in Forgejo tells the reason."
    )
