"""Files of a person's work tree: each gets its new content as a whole, or stays as it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from onehead.gitrepo.rewrite import NotRewritten, rewrite
from onehead.revisions.model import FileChange

OLD = b"down_revision = '1'\n"
NEW = b"down_revision = '2'\n"
CHANGE = FileChange("v/a.py", NEW)
SPARSE = "is not in the work tree (`git sparse-checkout add` brings its folder)"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.py").write_bytes(OLD)
    return tmp_path


def left(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}


def test_content_and_name(top: Path) -> None:
    (top / "v/a.py").chmod(0o640)
    rewrite(top, [CHANGE._replace(new_path="v/b.py")], {"v/a.py": OLD})
    assert left(top) == {"v/b.py": NEW}
    assert (top / "v/b.py").stat().st_mode & 0o777 == 0o640


def test_line_ends_of_the_work_tree_stay(top: Path) -> None:
    (top / "v/a.py").write_bytes(OLD.replace(b"\n", b"\r\n"))
    rewrite(top, [CHANGE], {"v/a.py": OLD})
    assert left(top) == {"v/a.py": NEW.replace(b"\n", b"\r\n")}


@pytest.mark.parametrize("content", [b"down_revision = '1'\n# more\n", OLD + b"\r\n", b""])
def test_another_content_than_git_has_is_left_alone(top: Path, content: bytes) -> None:
    (top / "v/a.py").write_bytes(content)
    with pytest.raises(NotRewritten, match="is not what was read"):
        rewrite(top, [CHANGE], {"v/a.py": OLD})
    assert left(top) == {"v/a.py": content}


def test_mixed_line_ends_are_no_reason_to_guess(top: Path) -> None:
    before = b"one\ntwo\n"
    (top / "v/a.py").write_bytes(b"one\r\ntwo\n")
    with pytest.raises(NotRewritten, match="is not what was read"):
        rewrite(top, [CHANGE], {"v/a.py": before})


def test_neither_a_link_nor_what_is_behind_one_is_touched(top: Path) -> None:
    (top / "v/a.py").rename(top / "real.py")
    (top / "v/a.py").symlink_to(top / "real.py")
    with pytest.raises(NotRewritten, match="is a symbolic link"):
        rewrite(top, [CHANGE], {"v/a.py": OLD})
    (top / "w").symlink_to(top / "v")
    with pytest.raises(NotRewritten, match="lies behind a symbolic link"):
        rewrite(top, [CHANGE._replace(path="w/a.py")], {"w/a.py": OLD})
    with pytest.raises(NotRewritten, match="lies behind a symbolic link"):
        rewrite(top, [CHANGE._replace(path="v/../w/a.py")], {"v/../w/a.py": OLD})
    assert (top / "real.py").read_bytes() == OLD


@pytest.mark.parametrize(
    ("change", "before", "reason"),
    [
        (CHANGE._replace(data=None), {"v/a.py": OLD}, "would be deleted or created, which only you should do"),
        (CHANGE, {}, "would be deleted or created, which only you should do"),
        (
            CHANGE._replace(path="v/none.py"),
            {"v/none.py": OLD},
            "is not in the work tree (`git sparse-checkout add` brings its folder)",
        ),
        (CHANGE._replace(path="v"), {"v": OLD}, "is no ordinary file"),
        (CHANGE._replace(new_path="v/c.py"), {"v/a.py": OLD}, "would become `v/c.py`, which exists already"),
    ],
)
def test_what_is_not_done(top: Path, change: FileChange, before: dict[str, bytes], reason: str) -> None:
    (top / "v/c.py").write_bytes(b"mine")
    there = left(top)
    with pytest.raises(NotRewritten) as raised:
        rewrite(top, [change], before)
    assert f"`{change.path}` {reason}, so it was left as it is. Nothing was written." in str(raised.value)
    assert left(top) == there


def test_of_several_files_none_is_written_where_one_cannot_be(top: Path) -> None:
    (top / "v/b.py").write_bytes(b"edited")
    with pytest.raises(NotRewritten):
        rewrite(top, [CHANGE, FileChange("v/b.py", NEW)], {"v/a.py": OLD, "v/b.py": OLD})
    assert left(top) == {"v/a.py": OLD, "v/b.py": b"edited"}


def test_a_full_disk_leaves_everything_as_it_is(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "v/b.py").write_bytes(OLD)
    synced = []

    def fsync(handle: int) -> None:
        synced.append(handle)
        if len(synced) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(NotRewritten, match=r"`v/b\.py` can't be changed \(No space left on device\)"):
        rewrite(top, [CHANGE, FileChange("v/b.py", NEW)], {"v/a.py": OLD, "v/b.py": OLD})
    assert left(top) == {"v/a.py": OLD, "v/b.py": OLD}


def test_of_several_files_all_are_written_or_none(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is edited in the moment in which the first has been written; the edit stays."""
    (top / "v/b.py").write_bytes(OLD)
    changes = [CHANGE._replace(new_path="v/c.py"), CHANGE._replace(path="v/b.py", new_path="v/d.py")]
    link = os.link

    def edit(*places: Path) -> None:
        link(*places)
        (top / "v/a.py").write_bytes(b"edited\n")

    monkeypatch.setattr(os, "link", edit)
    with pytest.raises(NotRewritten, match=r"`v/a.py` has changed meanwhile.* Nothing was written\."):
        rewrite(top, changes, {"v/a.py": OLD, "v/b.py": OLD})
    found = {path.name: path.read_bytes() for path in (top / "v").iterdir()}
    assert found == {"a.py": b"edited\n", "b.py": OLD}


def test_what_somebody_has_edited_since_is_not_undone_and_named(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "v/b.py").write_bytes(OLD)
    link = os.link

    def edit(*places: Path) -> None:
        link(*places)
        (top / "v/a.py").write_bytes(b"edited\n")
        (top / "v/d.py").unlink()
        (top / "v/d.py").write_bytes(b"and this\n")

    monkeypatch.setattr(os, "link", edit)
    changes = [CHANGE, CHANGE._replace(path="v/b.py", new_path="v/d.py")]
    with pytest.raises(NotRewritten, match=r"Written, and not undone: v/b.py\."):
        rewrite(top, changes, {"v/a.py": OLD, "v/b.py": OLD})
    assert (top / "v/d.py").read_bytes() == b"and this\n"
