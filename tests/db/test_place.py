"""Where the directories of servers go."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.db import place
from harness.db.account import Account
from harness.db.place import SOCKET_PATH_BYTES_MAX, choose_base
from harness.words.errors import CouldNotRun

OURSELVES = Account("", os.geteuid(), os.getegid(), switch=False)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that stands for memory and has room; the one for temporary files is ``temp`` beside it."""
    # Not pytest's own: its path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="t-") as root:
        for name in ("memory", "temp"):
            Path(root, name).mkdir()
        monkeypatch.setattr(place, "MEMORY", Path(root, "memory"))
        monkeypatch.setattr(place, "MEMORY_FREE_BYTES_MIN", 1)
        monkeypatch.setattr(tempfile, "tempdir", str(Path(root, "temp")))
        yield Path(root, "memory")


def test_memory_comes_first(memory: Path) -> None:
    assert choose_base(OURSELVES, runs_programs=False) == memory


def test_without_room_in_memory_the_temporary_files_are_next(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "MEMORY_FREE_BYTES_MIN", 1 << 62)
    assert choose_base(OURSELVES, runs_programs=False) == memory.parent / "temp"


def test_without_memory_too(memory: Path) -> None:
    memory.rmdir()
    assert choose_base(OURSELVES, runs_programs=False) == memory.parent / "temp"


def test_programs_are_not_put_where_none_may_run(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statvfs = os.statvfs

    def noexec(path: Path) -> os.statvfs_result:
        status = statvfs(path)
        flags = status.f_flag | os.ST_NOEXEC if path == memory else status.f_flag & ~os.ST_NOEXEC
        return os.statvfs_result((*status[:8], flags, *status[9:]))

    monkeypatch.setattr(os, "statvfs", noexec)
    assert choose_base(OURSELVES, runs_programs=False) == memory
    assert choose_base(OURSELVES, runs_programs=True) == memory.parent / "temp"


def test_the_path_of_a_socket_fits(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.rmdir()
    deep = memory.parent / "temp" / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    chosen = choose_base(OURSELVES, runs_programs=False)
    assert len(os.fsencode(chosen / "harness-pg-01234567" / ".s.PGSQL.65535")) <= SOCKET_PATH_BYTES_MAX


def test_a_wish_is_granted_or_refused_never_replaced(memory: Path) -> None:
    assert choose_base(OURSELVES, runs_programs=False, wanted=memory.parent / "temp") == memory.parent / "temp"
    (memory / "file").write_text("")
    with pytest.raises(CouldNotRun, match="is not a directory"):
        choose_base(OURSELVES, runs_programs=False, wanted=memory / "file")


def test_a_directory_that_the_account_cannot_enter_is_passed_over(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Account("stranger", uid=54321, gid=54321, switch=True)
    monkeypatch.setattr(Account, "can_enter", lambda self, path: self is not stranger or path.name == "temp")
    assert choose_base(OURSELVES, runs_programs=False) == memory
    assert choose_base(stranger, runs_programs=False) == memory.parent / "temp"
