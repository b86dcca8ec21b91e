"""The forge's own pre-receive check, run by the hook `pre-receive.d/gitea` in its own process.

What the pusher may do was worked out by the server and comes as JSON in STANDIN_RULES. A push that did not come
through the server has no rules and is refused, as the real forge does. Standard library only, for a fast start.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

ZERO = "0" * 40


def verdict(rules: dict[str, Any], before: str, after: str, ref: str) -> str | None:
    """Say why one ref may not be changed, or give None."""
    if not ref.startswith("refs/heads/"):
        return None if rules["can_write"] else denied(rules, "")
    branch = ref[len("refs/heads/") :]
    if not rules["can_write"] and branch not in rules["writable_branches"]:
        return denied(rules, branch)
    if after == ZERO and branch == rules["default_branch"]:
        return f"branch {branch} is the default branch and cannot be deleted"
    for protection in rules["protections"]:
        if re.fullmatch(protection["branches"], branch):
            return protected(protection, before, after, branch)
    return None


def denied(rules: dict[str, Any], branch: str) -> str:
    return f"User '{rules['pusher']}' is not allowed to push to branch '{branch}' in '{rules['repository']}'."


def protected(protection: dict[str, Any], before: str, after: str, branch: str) -> str | None:
    if after == ZERO:
        return f"branch {branch} is protected from deletion"
    if before != ZERO:
        import subprocess  # noqa: PLC0415 - rarely needed, and every push starts this file anew

        lost = subprocess.run(
            ["git", "rev-list", "--max-count=1", before, "^" + after], stdout=subprocess.PIPE, check=True
        )
        if lost.stdout:
            return f"branch {branch} is protected from force push"
    return None if protection["can_push"] else f"Not allowed to push to protected branch {branch}"


def main() -> int:
    raw = os.environ.get("STANDIN_RULES")
    if not raw:
        print("Rejecting changes as Forgejo environment not set.", file=sys.stderr)
        return 1
    rules = json.loads(raw)
    for line in sys.stdin:
        if not line.strip():
            continue
        reason = verdict(rules, *line.split())
        if reason:
            print(f"\nForgejo: {reason}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
