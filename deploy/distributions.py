"""Build the wheel and the sdist of a commit twice, compare them, and try them as people install them.

The commit is cloned for each build, so nothing that lies uncommitted in the checkout gets in.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]

FORKED = """
mkdir -p alembic/versions && printf '[alembic]\\nscript_location = alembic\\n' > alembic.ini && touch alembic/env.py
revision() { printf 'revision = "%s"\\ndown_revision = %s\\ndef upgrade(): pass\\n' "$@" > "alembic/versions/$1.py"; }
revision 018 None && revision 019 '"018"'
git init --quiet --initial-branch=main . && git add . && git commit --quiet --message=one
"$@" check --target main
revision 020 '"018"' && git add . && git commit --quiet --message=two
if "$@" check --target main; then exit 9; else test $? -eq 1; fi
"""
"""A shell script: a fresh repository is healthy, and after one more commit it is not."""


class ReleaseError(Exception):
    """A sentence that says why there is no release, and what to do."""


def run(*command: str | Path, at: Path = ROOT, variables: Mapping[str, str] | None = None, umask: int = -1) -> str:
    """What a program has printed. Raises ReleaseError with all that it said where it fails."""
    done = subprocess.run(
        command,
        cwd=at,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        umask=umask,
    )
    if done.returncode:
        raise ReleaseError(f"{done.stdout}Failed, with exit code {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def build(repository: Path, commit: str, place: Path) -> list[Path]:
    """The sdist and the wheel of a commit, in `place`/dist. Raises ReleaseError where two builds differ.

    The second one is made in another folder, under another umask, time zone and time of the files, and its wheel out of
    its sdist, as installers do where they take no wheel.
    """
    seconds = run("git", "show", "--no-patch", "--format=%ct", f"{commit}^{{commit}}", at=repository).strip()
    fixed = {"SOURCE_DATE_EPOCH": seconds}
    first, second = _clone(repository, commit, place / "one"), _clone(repository, commit, place / "another" / "folder")
    hatchling = (sys.executable, "-m", "hatchling", "build", "--directory")
    run(*hatchling, place / "dist", at=first, variables=fixed, umask=0o022)

    for file in second.rglob("*"):
        if ".git" not in file.relative_to(second).parts:
            os.utime(file, (1, 1), follow_symlinks=False)
    elsewhere = {**fixed, "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"}
    run(*hatchling, place / "again", "--target", "sdist", at=second, variables=elsewhere, umask=0o077)
    [sdist] = (place / "again").iterdir()
    run(*hatchling, place / "again", "--target", "wheel", at=unpacked(sdist, place), variables=elsewhere, umask=0o077)

    built = sorted((place / "dist").iterdir())
    if digests(built) != digests(sorted((place / "again").iterdir())):
        raise ReleaseError(
            f"Two builds of {commit} differ. Something that is not in the commit has got in: a time, an order, a mode, "
            f"a path. Compare the files of {place / 'dist'} and {place / 'again'}, with diffoscope for example."
        )
    return built


def _clone(repository: Path, commit: str, place: Path) -> Path:
    run("git", "clone", "--quiet", "--no-checkout", repository, place)
    run("git", "checkout", "--quiet", "--detach", commit, at=place)
    return place


def unpacked(sdist: Path, place: Path) -> Path:
    """The folder that an sdist unpacks to."""
    (place / "unpacked").mkdir(parents=True)
    run("tar", "--extract", "--file", sdist, "--directory", place / "unpacked")
    [folder] = (place / "unpacked").iterdir()
    return folder


def digests(files: Sequence[Path]) -> dict[str, str]:
    """Name → SHA-256."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def check(built: Sequence[Path], tree: Path) -> str:
    """What twine says of the files, and hadolint of the Dockerfile in `tree`. Raises ReleaseError on a complaint."""
    told = run(sys.executable, "-m", "twine", "check", "--strict", *built, variables={"COLUMNS": "200"})
    return told + run(Path(sys.executable).with_name("hadolint"), tree / "Dockerfile")


def trial(wheel: Path, place: Path) -> str:
    """Install the wheel by uvx and by pipx, and judge a fresh repository with it. Returns what was printed."""
    version = wheel.name.split("-")[1]
    # What was tested, without the hashes: pip would ask for that of the wheel as well.
    pins = "\n".join(re.findall(r"^\S+==[^\\\n]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    place.mkdir()
    (constraints := place / "constraints.txt").write_text(pins)
    home = {
        "PIPX_HOME": str(place / "venvs"),
        "PIPX_BIN_DIR": str(place / "bin"),
        "PIPX_MAN_DIR": str(place / "man"),
        **{f"GIT_{who}_{what}": "release@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    pipx = (sys.executable, "-m", "pipx")
    # By the Python that runs this, or pipx takes the first that it finds.
    arguments = ("--python", sys.executable, "--pip-args", f"--constraint {constraints}")
    run(*pipx, "install", *arguments, wheel, variables=home)
    told = []
    uvx = (str(Path(sys.executable).with_name("uvx")), "--isolated", "--python", sys.executable)
    for name, command in {
        "uvx": (*uvx, "--constraints", str(constraints), "--from", str(wheel), "onehead"),
        "pipx": (str(place / "bin" / "onehead"),),
    }.items():
        (fresh := place / name).mkdir()
        said = run(*command, "--version", at=fresh, variables=home).splitlines()[-1]
        if said != f"onehead {version}":
            raise ReleaseError(f"{wheel.name}, installed by {name}, calls itself {said!r}.")
        run("sh", "-euc", FORKED, "sh", *command, at=fresh, variables=home)
        told.append(f"{name}: {said}; `check` is 0 in a fresh repository and 1 once it is forked.\n")
    return "".join(told)


def distribute(repository: Path, commit: str, place: Path, into: Path) -> None:
    """Build, check and try a commit, and say so. Leaves the files in `into`, the folder's only ones of onehead."""
    built = build(repository, commit, place)
    print("Built twice, with equal bytes:")
    for name, digest in digests(built).items():
        print(f"  {digest}  {name}")
    [wheel] = (file for file in built if file.suffix == ".whl")
    print(check(built, place / "one") + trial(wheel, place / "trial"), end="")
    into.mkdir(exist_ok=True)
    for old in into.glob("onehead-*"):
        old.unlink()
    for file in built:
        shutil.copy2(file, into)
