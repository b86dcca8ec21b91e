"""The image is really built, without an engine and without a registry for images.

buildah runs the Dockerfile's own steps in a clean root. In the place of python:…-slim stands a Debian with its own
Python, made by debootstrap, so the Python is another one; everything else is as it will be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.files import instructions
from tests.migrations import chain, merged, project
from tests.repositories import Repository

ROOT = Path(__file__).parents[2]
CERTIFICATES = Path("/etc/ssl/certs")


def lacking() -> str:
    """What this machine lacks for it; empty for nothing. A container without rights of its own can't mount."""
    programs = [name for name in ("buildah", "debootstrap") if not shutil.which(name)]
    if programs:
        return " and ".join(programs)
    mounts = os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if mounts and mounts.returncode == 0 else "the right to mount"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(500),
    pytest.mark.skipif(bool(lacking()), reason=f"needs {lacking()}"),
]


def run(*command: str | Path) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=450
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


class Builder:
    """buildah, with storage of its own."""

    def __init__(self, place: Path) -> None:
        self._command = ("buildah", "--root", place / "storage", "--runroot", place / "run", "--storage-driver", "vfs")

    def __call__(self, *arguments: str | Path) -> str:
        """What a command of buildah prints."""
        return run(*self._command, *arguments)

    def start(self, container: str, *command: str, volume: str = "") -> str:
        """What a program prints that is run in a container."""
        volumes = ("--volume", volume) if volume else ()
        return self("run", "--isolation", "chroot", *volumes, container, "--", *command)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    place = tmp_path_factory.mktemp("image")
    buildah = Builder(place)
    base = buildah("from", "scratch").strip()
    included = "--include=python3,python3-venv,ca-certificates"
    run("debootstrap", "--variant=minbase", included, debian(), buildah("mount", base).strip())
    buildah("umount", base)
    buildah.start(base, "ln", "--symbolic", "python3", "/usr/bin/python")
    [image] = {rest.split()[0] for name, rest in instructions() if name == "FROM"}
    buildah("commit", "--quiet", base, f"docker.io/library/{image}")
    # A machine may have an authority of its own between it and its package index.
    ours = ("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", "--env", f"PIP_CERT={CERTIFICATES}/ca-certificates.crt")
    how = ("--isolation", "chroot", "--pull-never", "--format", "docker")
    buildah("build", *how, *ours, "--build-arg", "VERSION=9.9.9", "--tag", "onehead", ROOT)
    yield buildah
    shutil.rmtree(place)


def debian() -> str:
    """The release that this machine is, for its packages are at hand."""
    [line] = [each for each in Path("/etc/os-release").read_text().splitlines() if each.startswith("VERSION_CODENAME=")]
    return line.partition("=")[2]


def test_the_image_judges_with_the_version_that_it_was_built_as(builder: Builder, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    start = repository.commit("main", merged(project(), chain(("018", None))))
    repository.branch("topic", start)
    repository.commit("topic", chain(("020", "018")))
    repository.commit("main", chain(("019", "018")))
    # git in the container, where there is no root, refuses a repository of somebody else.
    run("chown", "--recursive", "10001:10001", repository.path)
    container = builder("from", "--pull-never", "onehead").strip()

    assert builder.start(container, "onehead", "--version") == "onehead 9.9.9\n"
    assert builder.start(container, "id", "-u") == "10001\n"
    assert (
        builder.start(container, "sh", "-c", "test -w /var/cache/onehead && ! test -w /opt/onehead && pwd") == "/tmp\n"
    )
    assert builder.start(container, "sh", "-c", "command -v pip || echo none") == "none\n"
    judging = ("onehead", "check", "--repo", "/repo", "--target", "main", "--head", "topic", "--format", "json")
    judged = json.loads(
        builder.start(
            container, "sh", "-c", f"{' '.join(judging)} || test $? = 1", volume=f"{repository.path}:/repo:ro"
        )
    )
    assert judged["verdict"] == "collision"
