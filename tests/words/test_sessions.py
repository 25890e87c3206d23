"""Sentences about sessions."""

from __future__ import annotations

from harness.words.sessions import sentence


def test_a_sentence_names_its_sessions() -> None:
    assert sentence("session 0 and session 1 wait", ["alice", "bob"]) == "session alice and session bob wait"
    assert sentence("session 7 waits", ["alice"]) == "session 7 waits"
