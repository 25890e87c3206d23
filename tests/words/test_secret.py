"""What is secret is not kept, and what is not is."""

from __future__ import annotations

import pytest

from harness.words.secret import without_secrets_in


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("env PGPASSWORD=hunter2 pytest -q", "env PGPASSWORD=... pytest -q"),
        ("env PGPASSWORD='hunter2 x' pytest", "env PGPASSWORD=... pytest"),
        ("connect('postgresql://u:hunter2@db/x')", "connect('...')"),
        ("postgresql+psycopg://u:hunter2@db/x is down", "... is down"),
        ("GET https://u:hunter2@api/metrics", "GET https://...@api/metrics"),
        ("host=db password=hunter2 dbname=x", "host=db password=... dbname=x"),
        ("{'api_key': 'hunter2', 'id': 3}", "{'api_key': ..., 'id': 3}"),
        ("STRIPE_SECRET_KEY = hunter2", "STRIPE_SECRET_KEY = ..."),
        ("assert token == other", "assert token == other"),
        ("tests/test_password.py::test_token: 1 failed", "tests/test_password.py::test_token: 1 failed"),
    ],
)
def test_secrets_are_hidden(said: str, kept: str) -> None:
    assert without_secrets_in(said) == kept
