"""BASE and CANDIDATE: names, paths, and revisions of git, with the work tree left as it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.compare.version import find_version, is_revision
from harness.resources import bundled
from harness.words.errors import UsageError

SQL = bundled("sql")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with sql/reference in two commits: the second has one migration less, the work tree another comment."""
    root = tmp_path / "clone"
    shutil.copytree(SQL / "reference", root / "sql" / "reference")
    shutil.copytree(SQL / "planted", root / "sql" / "planted")

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "one")
    (root / "sql" / "reference" / "migrations" / "20260205000007_monitoring.sql").unlink()
    git("add", ".")
    git("commit", "-qm", "two")
    (root / "sql" / "reference" / "migrations" / "20260205000005_grants.sql").write_text("-- being edited\n")
    monkeypatch.chdir(root)
    return root


def test_a_revision_is_no_subject_of_that_name() -> None:
    assert is_revision("main:reference")
    assert is_revision("HEAD~1:sql/crm")
    assert not is_revision("planted:off-by-one")
    assert not is_revision("reference")
    assert not is_revision("./crm")


@pytest.mark.parametrize("name", ["reference", "sql/reference", "planted:off-by-one"])
def test_a_revision_is_read_as_it_was(repository: Path, tmp_path: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    new = find_version(f"main:{name}", SQL, tmp_path / "scratch")
    old = find_version(f"main~1:{name}", SQL, tmp_path / "scratch")
    assert len(old.subject.migrations) == len(new.subject.migrations) + 1
    assert (new.given, len(new.commit or ""), new.commit == old.commit) == (f"main:{name}", 40, False)
    assert old.subject.digest != new.subject.digest
    assert all("being edited" not in path.read_text() for path in new.subject.migrations)
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("text", "slug"),
    [("nowhere:reference", "no-revision"), ("main:unknown", "no-subject"), ("main:sql/unknown", "no-subject")],
)
def test_what_is_not_there_is_told(text: str, slug: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=slug):
        find_version(text, SQL, tmp_path / "scratch")


def test_without_a_repository_there_is_no_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="no-revision"):
        find_version("main:reference", SQL, tmp_path / "scratch")
