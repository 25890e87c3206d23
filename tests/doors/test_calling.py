"""The command line that is kept in a run document: what was typed, and no secret."""

from __future__ import annotations

import pytest

from harness.doors.calling import called, command_line


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["verify", "--subject", "published"], "harness verify --subject published"),
        (["explore", "a b", "--max", "3"], "harness explore 'a b' --max 3"),
        (["monitor", "--dsn", "service=shop password=hunter2"], "harness monitor --dsn ..."),
        (["verify", "--dsn=postgresql://u:hunter2@db/x", "--seed", "1"], "harness verify --dsn=... --seed 1"),
        (["verify", "--database", "postgres://u:hunter2@db"], "harness verify --database ..."),
        (["verify", "--database=password=hunter2"], "harness verify --database=..."),
        (["verify", "postgresql://u:hunter2@db/x"], "harness verify ..."),
        (
            ["monitor", "--metrics-url", "https://u:hunter2@api/metrics?token=hunter2"],
            "harness monitor --metrics-url 'https://...@api/metrics?...'",
        ),
        (["load", "mix", "--host=http://u:hunter2@api:80"], "harness load mix --host=http://...@api:80"),
        (["gate", "--tests", "env PGPASSWORD=hunter2 pytest"], "harness gate --tests 'env PGPASSWORD=... pytest'"),
        (["verify", "--database", "embedded-17"], "harness verify --database embedded-17"),
    ],
)
def test_what_was_typed_is_kept_and_no_secret(typed: list[str], kept: str) -> None:
    called(typed)
    assert command_line() == kept
    assert "hunter2" not in command_line()
