"""Release a version: rehearse everything in a clone, then take over its commit and its tag.

python -m deploy.release rehearse 0.2.0        # what `make release VERSION=0.2.0` does
python -m deploy.release tag 0.2.0             # the same for good; nothing is pushed or published
python -m deploy.release dist                  # the files of HEAD, in dist/
python -m deploy.release attach v0.2.0         # a job's part: the files of dist/ go to the release in Forgejo
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from packaging.version import InvalidVersion, Version

from deploy.distributions import ROOT, ReleaseError, distribute, run

CHANGELOG = "CHANGELOG.md"
UNRELEASED = "## [Unreleased]\n"
HEADING = re.compile(r"^## \[(?P<version>\d[^\]]*)\].*\n", re.MULTILINE)
IMAGES = ("deploy/kubernetes", "tests/deploy/rendered")
"""Where files name the image of the last release."""
TESTS = ("make", "lint", "test-all")


# --- the changelog and the version ------------------------------------------------------------------------------


def section(changelog: str, version: str) -> str:
    """What the changelog says about a version, without its heading. Raises ReleaseError where it is missing."""
    found = [heading for heading in HEADING.finditer(changelog) if heading["version"] == version]
    if not found:
        raise ReleaseError(f"{CHANGELOG} has no heading `## [{version}]`. `make release VERSION={version}` writes it.")
    return re.split(r"^## \[", changelog[found[0].end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()


def moved(changelog: str, version: str, day: dt.date) -> str:
    """The changelog with what was unreleased under the version. Raises ReleaseError where nothing was."""
    before, heading, after = changelog.partition(UNRELEASED)
    if not heading or not re.split(r"^## \[", after, maxsplit=1, flags=re.MULTILINE)[0].strip():
        raise ReleaseError(f"{CHANGELOG} has nothing under Unreleased, so there is nothing to release.")
    return f"{before}{UNRELEASED}\n## [{version}] - {day}\n{after}"


def acceptable(version: str, changelog: str) -> str | None:
    """The version that `version` follows. Raises ReleaseError where it is none, or not a later one."""
    try:
        if str(Version(version)) != version or Version(version).is_devrelease or Version(version).local:
            raise InvalidVersion(version)
    except InvalidVersion:
        raise ReleaseError(
            f"{version!r} is no version for a release. Such are 0.2.0 and 0.3.0rc1, without a v."
        ) from None
    heading = HEADING.search(changelog)
    if heading and Version(heading["version"]) >= Version(version):
        raise ReleaseError(f"{version} does not follow {heading['version']}, the last version of {CHANGELOG}.")
    return heading["version"] if heading else None


def edit(tree: Path, version: str, day: dt.date) -> None:
    """Write the version into the changelog, and into the files that name the image of the last release."""
    changelog = (tree / CHANGELOG).read_text(encoding="utf-8")
    last = acceptable(version, changelog)
    (tree / CHANGELOG).write_text(moved(changelog, version, day), encoding="utf-8")
    for file in (file for folder in IMAGES for file in (tree / folder).rglob("*.yaml") if last):
        text = file.read_text(encoding="utf-8")
        file.write_text(
            re.sub(rf"(onehead:|newTag: ){re.escape(last or '')}$", rf"\g<1>{version}", text, flags=re.MULTILINE)
        )


# --- the release ------------------------------------------------------------------------------------------------


def release(repository: Path, version: str, place: Path, *, real: bool, tests: bool) -> None:
    """Release HEAD of `repository`, in a clone below `place`. If `real`, its commit and tag come back."""
    tag = f"v{version}"
    ready(repository, tag)
    # They take half an hour, so their output is seen.
    if tests and subprocess.run(TESTS, cwd=repository, check=False).returncode:
        raise ReleaseError(f"{' '.join(TESTS)} failed, so nothing was released.")
    clone = place / "clone"
    run("git", "clone", "--quiet", repository, clone)
    settings = signing(repository)
    for name, value in settings.items():
        run("git", "config", name, value, at=clone)
    edit(clone, version, dt.datetime.now(dt.UTC).date())
    run("git", "commit", "--quiet", "--all", f"--message=release: {version}", at=clone)
    print(run("git", "show", "--stat", "--format=%s", at=clone), end="")
    key = settings.get("user.signingkey", "")
    kind = "--sign" if key and real else "--annotate"
    run("git", "tag", kind, f"--message=onehead {version}", tag, at=clone)
    distribute(clone, tag, place / "build", repository / "dist")

    signed = f"signed with {key}" if key else "unsigned, for git has no user.signingkey"
    if not real:
        left = "" if tests else f" The tests were left out: {' '.join(TESTS)}."
        print(f"\nA rehearsal: nothing has changed but dist/.{left} The tag would be {signed}.")
        print(f"For good: make release VERSION={version} DRY=0")
        return
    # The tag comes last: without its commit on main it would be in the way of another try.
    run("git", "fetch", "--quiet", clone, "HEAD", at=repository)
    run("git", "merge", "--quiet", "--ff-only", "FETCH_HEAD", at=repository)
    run("git", "fetch", "--quiet", clone, f"refs/tags/{tag}:refs/tags/{tag}", at=repository)
    print(f"\nTagged {tag}, {signed}. Nothing is pushed or published yet.\n")
    print(f"  Publish:   git push --atomic origin main {tag}")
    print("             .forgejo/workflows/release.yml makes the rest. By hand, where no runner does:")
    print(f"             twine upload dist/onehead-{version}*")
    print(f"             docker build --build-arg VERSION={version} --tag REGISTRY/onehead:{version} .")
    print(f"             docker push REGISTRY/onehead:{version}")
    print(f"  Take back: git tag --delete {tag} && git reset --keep HEAD~1")


def ready(repository: Path, tag: str) -> None:
    """Raise ReleaseError where HEAD of `repository` is not what one releases."""
    if changed := run("git", "status", "--porcelain", at=repository):
        raise ReleaseError(
            f"{changed}These files are not committed. A release is made of commits: commit or stash them."
        )
    if (branch := run("git", "branch", "--show-current", at=repository).strip()) != "main":
        where = f"the branch {branch}" if branch else "no branch"
        raise ReleaseError(f"HEAD is on {where}. Releases are made on main: git switch main")
    if run("git", "tag", "--list", tag, at=repository):
        raise ReleaseError(
            f"The tag {tag} exists. A release that people may have is not made again: take the next number."
        )


def signing(repository: Path) -> dict[str, str]:
    """What git is told about who commits, and how that is signed; names are in lower case."""
    given = run("git", "config", "--list", "--null", at=repository).split("\0")
    pairs = (each.partition("\n") for each in given if re.match(r"(user|gpg|commit|tag)\.", each))
    # A name alone means that it is so.
    return {name: value if equals else "true" for name, equals, value in pairs}


# --- the release in Forgejo -------------------------------------------------------------------------------------


def attach(forge: httpx.Client, tag: str, text: str, files: list[Path]) -> str:
    """Make the release of a tag with its files, or complete it. Returns its page. Raises httpx.HTTPStatusError."""
    asked = {"tag_name": tag, "name": tag, "body": text, "prerelease": Version(tag[1:]).is_prerelease}
    answer = forge.post("releases", json=asked)
    if answer.status_code == 409:
        answer = forge.get(f"releases/tags/{tag}")
    made = answer.raise_for_status().json()
    there = {asset["name"] for asset in made["assets"]}
    for file in (file for file in files if file.name not in there):
        with file.open("rb") as content:
            sent = forge.post(
                f"releases/{made['id']}/assets", params={"name": file.name}, files={"attachment": content}
            )
        sent.raise_for_status()
    return str(made["html_url"])


def attach_from_a_job(tag: str, dist: Path) -> str:
    """The same, with what Forgejo gives to a job.

    Raises ReleaseError where that is missing, the files are not those of the tag, or Forgejo refuses.
    """
    try:
        base = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/"
        headers = {"Authorization": f"token {os.environ['GITHUB_TOKEN']}"}
    except KeyError as missing:
        raise ReleaseError(
            f"{missing} is not set. Forgejo sets it in a job; see .forgejo/workflows/release.yml."
        ) from None
    version = tag.removeprefix("v")
    text = section((ROOT / CHANGELOG).read_text(encoding="utf-8"), version)
    files = sorted(dist.glob("onehead-*"))
    names = [file.name for file in files]
    if names != [f"onehead-{version}-py3-none-any.whl", f"onehead-{version}.tar.gz"]:
        raise ReleaseError(f"The tag is {tag}, and dist/ holds {', '.join(names) or 'nothing'}. Run: make dist")
    try:
        with httpx.Client(base_url=base, headers=headers, timeout=60) as forge:
            return attach(forge, tag, text, files)
    except httpx.HTTPError as refused:
        answer = refused.response.text if isinstance(refused, httpx.HTTPStatusError) else ""
        raise ReleaseError(f"Forgejo did not take the release: {refused} {answer}") from None


# --- the command line -------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns the exit code: 0, or 1 after a sentence that says why not."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("rehearse", "tag"):
        asked = verbs.add_parser(verb)
        asked.add_argument("version")
        asked.add_argument("--tests", action=argparse.BooleanOptionalAction, default=verb == "tag")
    verbs.add_parser("dist")
    verbs.add_parser("attach").add_argument("tag")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="onehead-release-") as folder:
            if options.verb == "attach":
                print(attach_from_a_job(options.tag, ROOT / "dist"))
            elif options.verb == "dist":
                distribute(ROOT, "HEAD", Path(folder), ROOT / "dist")
            else:
                real = options.verb == "tag"
                release(ROOT, options.version, Path(folder), real=real, tests=options.tests)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
