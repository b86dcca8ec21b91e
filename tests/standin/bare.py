"""Making the bare repositories, with the hooks of the forge in them."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tests.standin import gitside

HIDDEN_REFS = "refs/pull"  # readable by everyone who can read, writable by nobody

# Each `.d` folder is run whole, whatever its members answer; the first refusal is the answer. That is how the
# forge lets its own check (`gitea`) and those of administrators live side by side.
_DISPATCHER = """#!/bin/sh
data=$(cat)
code=0
for hook in "$GIT_DIR"/hooks/{name}.d/*; do
  test -x "$hook" && test -f "$hook" || continue
  printf '%s\\n' "$data" | "$hook"
  answer=$?
  if [ $code -eq 0 ]; then code=$answer; fi
done
exit $code
"""
_OWN_CHECK = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(Path(__file__).with_name("push_rules.py")))}
"""
# The server reads this file when the push is over. Pushes that did not come through the server have no such file.
_REPORT = """#!/bin/sh
if [ -n "$STANDIN_RECEIVED" ]; then cat >> "$STANDIN_RECEIVED"; fi
"""


_CONFIG = f"""
[receive]
	hideRefs = {HIDDEN_REFS}
	advertisePushOptions = true
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[http]
	receivepack = true
[gc]
	auto = 0
"""


def create_bare(path: Path, default_branch: str, source: Path | None = None) -> None:
    """Make a bare repository with the forge's hooks, empty or as a fork of `source`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        gitside.run(path.parent, "init", "-q", "--bare", "--template=", f"--initial-branch={default_branch}", str(path))
    else:
        # A fork takes branches and tags, not the pull requests of the original.
        gitside.run(path.parent, "clone", "-q", "--bare", "--template=", str(source), str(path))
        gitside.run(path, "config", "--remove-section", "remote.origin")
    with (path / "config").open("a") as config:
        config.write(_CONFIG)
    _install_hooks(path / "hooks")


def _install_hooks(hooks: Path) -> None:
    for name, own in (("pre-receive", _OWN_CHECK), ("post-receive", _REPORT)):
        folder = hooks / f"{name}.d"
        folder.mkdir(parents=True)
        for file, content in ((hooks / name, _DISPATCHER.format(name=name)), (folder / "gitea", own)):
            file.write_text(content)
            file.chmod(0o755)
