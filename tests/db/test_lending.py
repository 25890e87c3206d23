"""A server that is lent: started when the first borrower comes, gone with the lender."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client

import pytest

from harness.db import lending
from harness.db.lending import Lender, borrow
from harness.words.errors import CouldNotRun, UsageError


class Supply:
    """Stands for ``provision`` and says what it was asked to do."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def dsn(self) -> str:
        return "the dsn"

    @contextmanager
    def __call__(self, choice: str) -> Iterator[Supply]:
        self.told.append(f"start {choice}")
        yield self
        self.told.append("end")


@pytest.fixture
def supply(monkeypatch: pytest.MonkeyPatch) -> Supply:
    supply = Supply()
    monkeypatch.setattr(lending, "provision", supply)
    return supply


def test_many_borrow_one(supply: Supply) -> None:
    with Lender("embedded") as lender, ThreadPoolExecutor(8) as borrowers:
        assert supply.told == []
        assert set(borrowers.map(lambda _: borrow(lender.ticket), range(16))) == {"the dsn"}
        assert supply.told == ["start embedded"]
    assert supply.told == ["start embedded", "end"]


def test_nobody_borrows(supply: Supply) -> None:
    with Lender("auto"):
        pass
    assert supply.told == []


def test_every_borrower_is_told_why_there_is_none() -> None:
    with Lender("oracle") as lender:
        for _ in range(2):
            with pytest.raises(UsageError, match="unknown-database"):
                borrow(lender.ticket)


def test_who_does_not_know_the_key_gets_nothing(supply: Supply) -> None:
    with Lender("auto") as lender:
        address, _ = lender.ticket
        with pytest.raises(AuthenticationError):
            Client(address, authkey=b"guessed")
        assert supply.told == []
        assert borrow(lender.ticket) == "the dsn"


def test_a_borrower_that_comes_too_late_is_told(supply: Supply) -> None:
    with Lender("auto") as lender:
        pass
    with pytest.raises(CouldNotRun, match="no-lender"):
        borrow(lender.ticket)
    assert supply.told == []
