"""What a change is compared with, in repositories made for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.gate.revision import DIFF_LINES_MAX, changed, folder_at, merge_base
from harness.words.errors import CouldNotRun, UsageError


def git(directory: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(directory: Path, text: str) -> str:
    (directory / "sql").mkdir(exist_ok=True)
    (directory / "sql" / "f.sql").write_text(text)
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "-m", "x")
    return git(directory, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on main, then a branch with a change, and one more commit on main."""
    root = tmp_path / "origin"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    commit(root, "a\nb\nc\n")
    commit(root, "a\nb\nc\nd\n")
    git(root, "checkout", "-q", "-b", "change")
    commit(root, "a\nB\nc\nd\n")
    git(root, "checkout", "-q", "main")
    commit(root, "a\nb\nc\nd\ne\n")
    git(root, "checkout", "-q", "change")
    return root


@pytest.mark.parametrize("asked", [None, "main"])
def test_the_base_is_where_the_change_left(repository: Path, asked: str | None) -> None:
    base = merge_base(asked, repository)
    assert base == git(repository, "rev-parse", "main~1")
    (file,) = changed(base, [repository / "sql"], repository)
    assert (file["file"], file["lines"]) == (str(repository / "sql" / "f.sql"), [2])
    assert file["diff"] == "@@ -2 +2 @@ a\n-b\n+B"


def test_a_clone_that_has_no_branches_takes_those_of_its_origin(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    git(clone, "checkout", "-q", "--detach")
    git(clone, "branch", "-q", "-D", "change")
    assert merge_base("main", clone) == git(repository, "rev-parse", "main~1")
    with pytest.raises(UsageError, match="no-revision"):
        merge_base("nowhere", clone)


def test_what_is_not_committed_counts_and_what_is_gone(repository: Path) -> None:
    (repository / "sql" / "f.sql").write_text("a\nc\nd\n")
    (repository / "sql" / "new.sql").write_text("x\n")
    (repository / "other.sql").write_text("x\n")
    files = changed("main~1", [repository / "sql"], repository)
    assert [(Path(each["file"]).name, each["lines"]) for each in files] == [("f.sql", [1]), ("new.sql", [1])]
    (repository / "sql" / "f.sql").unlink()
    (gone, _) = changed("main~1", [repository / "sql"], repository)
    assert gone["file"].endswith("/sql/f.sql")
    assert gone["diff"].startswith("@@ -1,4 +0,0 @@\n-a")


NAMES = ["with space.sql", "größe.sql", "a [1]*.sql", 'quote".sql', " first.sql"]


@pytest.mark.parametrize("setting", ["diff.mnemonicPrefix", "diff.noprefix", "core.quotePath", "diff.relative"])
def test_files_of_any_name_are_named_as_they_are(repository: Path, setting: str) -> None:
    folder = repository / "sql"
    for name in NAMES:
        (folder / name).write_text("a\n")
    base = commit(repository, "a\n")
    git(repository, "config", setting, "true")
    for name in NAMES:
        (folder / name).write_text("b\n")
        (folder / f"new {name}").write_text("x\n")
    files = changed(base, [folder], folder)
    assert {each["file"]: (each["lines"], each["diff"]) for each in files} == {
        **{str(folder / name): ([1], "@@ -1 +1 @@\n-a\n+b") for name in NAMES},
        **{str(folder / f"new {name}"): ([1], "") for name in NAMES},
    }


def test_a_diff_that_is_no_utf_8_is_shown_all_the_same(repository: Path) -> None:
    (repository / "sql" / "f.sql").write_bytes("größe\n".encode("latin-1"))
    (file,) = changed("HEAD", [repository / "sql"], repository)
    assert "+gr\ufffd" in file["diff"]


def test_where_a_subject_was(repository: Path) -> None:
    assert folder_at("HEAD", repository / "sql") is None
    (repository / "sql" / "subject.toml").write_text("")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "x")
    assert folder_at("HEAD", repository / "sql") == "sql"


def test_nothing_changed(repository: Path) -> None:
    assert changed("HEAD", [repository / "sql"], repository) == []


def test_a_great_diff_is_cut(repository: Path) -> None:
    (repository / "sql" / "f.sql").write_text("".join(f"{number}\n" for number in range(500)))
    (file,) = changed("HEAD", [repository / "sql"], repository)
    assert file["diff"].splitlines()[-1] == "... 445 more lines"
    assert len(file["diff"].splitlines()) == DIFF_LINES_MAX + 1


def test_a_shallow_clone_says_what_to_do(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", "--branch", "change", repository.as_uri(), str(clone))
    with pytest.raises(CouldNotRun, match=r"the clone is shallow.*fetch-depth: 0.*\[no-base\]"):
        merge_base("origin/main", clone)


def test_a_branch_that_is_not_there(repository: Path) -> None:
    with pytest.raises(UsageError, match=r"git knows no revision 'nowhere'; .*\[no-revision\]"):
        merge_base("nowhere", repository)


def test_a_branch_that_has_nothing_in_common(repository: Path) -> None:
    git(repository, "checkout", "-q", "--orphan", "stranger")
    git(repository, "commit", "-q", "--allow-empty", "-m", "another beginning")
    with pytest.raises(CouldNotRun, match=r"no merge base of HEAD and main here; .*\[no-base\]"):
        merge_base("main", repository)


def test_no_repository_at_all(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRun, match=r"is in no git repository: .*\[no-history\]"):
        merge_base(None, tmp_path)
