"""``harness smoke`` tries the subjects that files belong to, and names each as its commands will be typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.doors.trying import subjects_of
from harness.resources import bundled
from harness.verify.document import subject_entry
from harness.words.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two subjects in it, which is the current one."""
    for name in ("crm", "shop"):
        (tmp_path / "sql" / name).mkdir(parents=True)
        for part in ("subject.toml", "migrations", "down"):
            (tmp_path / "sql" / name / part).symlink_to(bundled("sql") / "reference" / part)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folders(*files: str) -> list[str]:
    return [subject_entry(each, 0)["folder"] for each in subjects_of([Path(file) for file in files])]


def test_each_subject_once_by_its_folder_from_here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ("sql/crm/subject.toml", "sql/shop/subject.toml", "sql/crm/migrations/0001.sql", "sql/crm")
    assert folders(*files) == ["sql/crm", "sql/shop"]
    assert folders(str(project / "sql" / "crm" / "any.sql")) == ["sql/crm"]
    monkeypatch.chdir("sql")
    assert folders("crm/subject.toml") == ["./crm"]
    monkeypatch.chdir("crm")
    assert folders("subject.toml") == ["./."]
    assert folders("../shop/subject.toml") == ["../shop"]


def test_a_file_of_no_subject_is_named(project: Path) -> None:
    with pytest.raises(UsageError, match=r"sql/other\.sql belongs to no subject.*\[no-subject-here\]"):
        subjects_of([project / "sql" / "other.sql"])
