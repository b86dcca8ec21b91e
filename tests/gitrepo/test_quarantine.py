"""A real pre-receive hook: what is pushed is read and merged before it is accepted, and nothing stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repositories import Repository, environment

HOOK = """
import json, sys
from onehead.gitrepo.git import Git
from onehead.gitrepo.merge import merge_trees
from onehead.gitrepo.refs import list_refs, resolve
from onehead.gitrepo.tree import list_tree, read
git = Git(".")
old, new, ref = sys.stdin.read().split()
target = resolve(git, "main")
merged = merge_trees(git, target, new)
files = read(git, [e.oid for e in list_tree(git, new).entries.values()]).data
json.dump({
    "new": new, "ref": ref, "read": sorted(b.decode() for b in files.values()), "merged": sorted(merged.entries),
    "fresh": [data.decode() for data in merged.fresh.data.values()],
}, open("seen.json", "w"))
print("refused on purpose")
sys.exit(1)
"""
LINES = "".join(f"line {number}\n" for number in range(20))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_pushed_objects_are_read_in_quarantine(tmp_path: Path, object_format: str) -> None:
    server = Repository(tmp_path / "server.git", object_format=object_format)
    base = server.commit("main", {"both.py": LINES})
    developer = Repository(tmp_path / "developer.git", object_format=object_format)
    developer.git("fetch", "--quiet", f"file://{server.path}", "main:main")
    new = developer.commit("topic", {"both.py": LINES + "end\n", "new.py": "new\n"}, parents=["main"])
    server.commit("main", {"both.py": "start\n" + LINES})
    hook = server.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!{sys.executable}\n{HOOK}")
    hook.chmod(0o755)
    before = sorted(path for path in (server.path / "objects").rglob("*") if path.is_file())
    pushed = subprocess.run(
        ["git", "push", f"file://{server.path}", "topic:topic"],
        cwd=developer.path,
        env=environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "remote: refused on purpose" in pushed.stderr
    assert json.loads((server.path / "seen.json").read_text()) == {
        "new": new,
        "ref": "refs/heads/topic",
        "read": [LINES + "end\n", "new\n"],
        "merged": ["both.py", "new.py"],
        "fresh": ["start\n" + LINES + "end\n"],
    }
    assert sorted(path for path in (server.path / "objects").rglob("*") if path.is_file()) == before
    assert server.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]
    assert base != new
