"""What a mirror of a repository with large files takes, whole and without them: disk, time and CPU.

The repository has many small files and a few large ones, each in several versions of random bytes, as images, models or
archives are. It is served by git from the disk, once with `uploadpack.allowFilter` and once without; CPU is that of
both ends.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from onehead.gitrepo.commit import CommitDraft, CommitSeries, MergedIn, Signature, write_commits
from onehead.gitrepo.eviction import size_of
from onehead.gitrepo.merge import write_merged_tree
from onehead.gitrepo.mirror import Mirror, Mirrors
from onehead.gitrepo.remote import PushStatus, RefUpdate

MB = 1_000_000
BOT = Signature("onehead", "onehead@example.com", datetime(2024, 5, 1, tzinfo=UTC))


class Step(NamedTuple):
    """What was done, in seconds, seconds of CPU, and bytes of the mirror afterwards."""

    name: str
    wall: float
    cpu: float
    size: int


class Origin:
    """The repository, and a fork of it that lacks its newest commits."""

    def __init__(self, place: Path, size: int, commits: int, versions: int) -> None:
        self.path = place / "origin.git"
        self.fork = place / "fork.git"
        for path in (self.path, self.fork):
            git(place, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
        table = "".join(f"{number:09}\n" for number in range(size // 10)).encode()
        many = {f"src/{number}.py": f"x = {number}\n".encode() for number in range(commits)}
        old = [many | {"data/table.csv": table}]
        old += [{f"assets/{number % 5}.bin": os.urandom(size)} for number in range(versions)]
        old += [{path: data + b"y = 0\n"} for path, data in many.items()]
        new = {"assets/0.bin": os.urandom(size), "data/table.csv": b"first\n" + table}
        write(self.path, "main", old)
        git(self.fork, "fetch", "--quiet", str(self.path), "main:main")
        write(self.path, "clean", [{"alembic/versions/020.py": b"revision = '020'\n"}], "main")
        write(self.path, "topic", [{"data/table.csv": table + b"last\n"}], "main")
        write(self.path, "main", [new], "main")
        git(self.path, "repack", "-adq")


def write(repository: Path, branch: str, commits: Iterable[Mapping[str, bytes]], start: str = "") -> None:
    """Commit files on a branch, one commit after another."""
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=repository, stdin=subprocess.PIPE) as process:
        if process.stdin is None:
            raise RuntimeError("git takes no input")
        told = process.stdin
        for number, files in enumerate(commits):
            told.write(b"commit refs/heads/%b\ncommitter A <a@b> %d +0000\ndata 1\nx\n" % (branch.encode(), number))
            if start and number == 0:
                told.write(b"from refs/heads/%b^0\n" % start.encode())
            for path, data in files.items():
                told.write(b"M 644 inline %b\ndata %d\n%b\n" % (path.encode(), len(data), data))


def git(place: Path, *args: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *args], cwd=place, check=True, capture_output=True, text=True).stdout.strip()


def measured(mirror: Mirror, name: str, work: Callable[[], object]) -> Step:
    """Do it and say what it took."""
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return Step(name, time.perf_counter() - wall, _cpu() - cpu, size_of(mirror.git.directory))


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def steps(origin: Origin, mirrors: Mirrors) -> list[Step]:
    """A mirror's first hour."""
    with mirrors.hold(f"file://{origin.path}") as mirror:
        found = [measured(mirror, "clone", mirror.fetch)]
        write(origin.path, "main", [{"src/0.py": b"x = 'later'\n"}], "main")
        found.append(measured(mirror, "fetch of a push of one small file", mirror.fetch))
        main, clean, topic = (git(origin.path, "rev-parse", name) for name in ("main", "clean", "topic"))

        def merged(head: str) -> str:
            draft = CommitDraft("Merge\n", (), MergedIn(main, write_merged_tree(mirror.git, main, head)))
            [[sha]] = write_commits(mirror.git, CommitSeries(head, [draft], BOT))
            return sha

        def push(head: str, elsewhere: str | None = None) -> None:
            sha = mirror.with_files(lambda: merged(head))
            [outcome] = mirror.push([RefUpdate(f"refs/heads/repair-{head[:7]}", sha, None)], elsewhere)
            if outcome.status is not PushStatus.OK:
                raise RuntimeError(outcome.text)

        found.append(measured(mirror, "clean merge and its push", lambda: push(clean)))
        fork = f"file://{origin.fork}"
        found.append(measured(mirror, "its push to a fork that lacks a large file", lambda: push(clean, fork)))
        found.append(measured(mirror, "merge where both edited a large file, and its push", lambda: push(topic)))
    return found


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, default=12, help="MB of each large file")
    options.add_argument("--versions", type=int, default=20, help="of the large files, all together")
    options.add_argument("--commits", type=int, default=100, help="that change a small file")
    asked = options.parse_args()
    print("| step | whole: s | CPU s | MB | without large files: s | CPU s | MB |\n|---|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found = []
        for kind in ("false", "true"):
            (place / kind).mkdir()
            origin = Origin(place / kind, asked.size * MB, asked.commits, asked.versions)
            git(origin.path, "config", "uploadpack.allowFilter", kind)
            git(origin.path, "config", "uploadpack.allowAnySHA1InWant", "true")
            found.append(steps(origin, Mirrors(place / kind / "mirrors")))
    for whole, part in zip(*found, strict=True):
        figures = (f"{each.wall:.2f} | {each.cpu:.2f} | {each.size / MB:.1f}" for each in (whole, part))
        print(f"| {whole.name} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
