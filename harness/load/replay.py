"""The replay: the sequential model, commit by commit, beside what the commits wrote and what the clients were told."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

from harness.check.serial_outcomes import differences
from harness.load.answers import amount, brief, fits, is_stateless, operation_of, reads, told
from harness.load.books import Books, Change, Part
from harness.load.finding import Finding
from harness.load.journal import Commit, CommitJournal
from harness.load.matching import NOBODY, Matched
from harness.load.rows import Row
from harness.load.safety import Safety
from harness.load.sample import Sample, identity_of_key
from harness.load.samples import Samples
from harness.load.usual import is_usual_answer, write_usual
from harness.marketplace.market import Market, TopUpRow
from harness.marketplace.properties.serializable import agrees, show
from harness.words.history import Result, Status

_DIFFERENCES_MAX = 2
"""How many a sentence tells."""

_PROPERTY_OF = {
    "balances": "conservation",
    "leads": "all-or-nothing",
    "purchases": "all-or-nothing",
    "top_ups": "conservation",
    "events": "webhook-idempotent",
}
"""Part of the market to the property that is broken when a commit leaves it otherwise than the model does."""


class MarketReplay:
    """Follows the journal for ``check.commit_order.scan``; ``others`` are the numbers of the samples without a commit.

    ``findings`` collects what the commits themselves show. After a commit that the model does not explain, the rows
    stand: one mistake is told once, not in everything that follows from it.
    """

    def __init__(self, samples: Samples, journal: CommitJournal, matched: Matched, others: Sequence[int]) -> None:
        self.books = Books(journal.words)
        self.books.put(journal.start())
        self.findings: list[Finding] = []
        self._samples = samples
        self._matched = matched
        self._others = others
        self._commits = journal.commits()
        self._safety = Safety(self.books)
        self._now = 0.0

    def commit(self, number: int) -> Iterable[Hashable]:
        """The next commit: by the model, by its rows, and by what its client was told."""
        commit = next(self._commits)
        self._now = commit.time
        sample_number = self._matched.samples[number]
        if sample_number == NOBODY or self._matched.preparing[number]:
            change = self.books.put(commit.rows)
            if sample_number == NOBODY:
                self._nobody(number, commit, change)
        else:
            usual = self._usual(number, sample_number, commit.rows)
            if usual is not None:
                return usual
            change = self._judge(number, sample_number, commit.rows)
        for name, why in self._safety.broken(change):
            asked = None if sample_number == NOBODY else sample_number
            self.findings.append(Finding((name, "serializable"), why, number, asked))
        return chain(change.ids(), change.keys)

    def explains(self, other: int) -> bool:
        """Whether the books of now give this sample its answer, and it changes nothing in them."""
        sample = self._samples.read(self._others[other])
        if is_usual_answer(sample, self.books):
            return True
        if sample.key is not None and not is_stateless(sample):
            identity = identity_of_key(sample.workspace, sample.key)
            made = self.books.key(identity)
            known = made is not None
            answer = sample.answer or {}
            if sample.code == "key_reused":
                return known
            if answer.get("replayed"):
                return self._is_first_answer(made, answer)
            if known:
                return False
        if sample.operation == "read":
            return reads(sample, self.books.balances, self.books.purchases)
        market = self.books.market(self.part(sample, sample.purchase), self._now)
        explained, _, after = fits(sample, market, sample.purchase)
        return explained and after == market

    def part(self, sample: Sample, made: str | None) -> Part:
        """What this sample may have seen or changed, and the purchase that came of it."""
        operation = operation_of(sample, made)
        if operation is not None:
            return self.books.part(operation)
        part = self.books.about(made or "")
        return part if sample.workspace is None or sample.purchase else part | Part(frozenset((sample.workspace,)))

    def concerns(self, other: int) -> Iterable[Hashable]:
        """All ids on which ``explains`` depends."""
        sample = self._samples.read(self._others[other])
        ids = set[str](self.part(sample, sample.purchase).ids())
        if sample.key is not None:
            ids.add(identity_of_key(sample.workspace, sample.key))
        return ids

    def _nobody(self, number: int, commit: Commit, change: Change) -> None:
        """A commit without a client. It may be one of a process that was killed before it wrote its sample down."""
        what = ", ".join(sorted(change.ids())) or "nothing that is known"
        why = f"transaction {commit.xid} changed {what}, and no client asked for it"
        self.findings.append(Finding(("serializable",), why, number, certain=self._samples.whole))

    def _usual(self, number: int, sample_number: int, rows: Sequence[Row]) -> Iterable[Hashable] | None:
        if self._matched.again[number]:
            return None
        return write_usual(self._samples.read(sample_number), rows, self.books)

    def _judge(self, number: int, sample_number: int, rows: Sequence[Row]) -> Change:
        sample = self._samples.read(sample_number)
        made = next((row[2] for row in rows if row[1] == "I" and row[0] in ("purchase", "top_up")), sample.purchase)
        part = self.part(sample, made)
        if sample.operation == "sweep":
            part = Part(purchases=frozenset(row[2] for row in rows if row[0] == "purchase"))
        before = self.books.market(part, self._now)
        change = self.books.put(rows)
        if self._matched.again[number]:
            name = "webhook-idempotent" if sample.operation == "deliver" else "charged-once"
            self._find(number, (name, "serializable"), "was committed a second time", certain=True)
        else:
            self._compare(number, sample, before, part, change, made)
        if sample.status not in (Status.OK, Status.UNKNOWN):
            what = f"was told {sample.status} {sample.code}, and it was committed"
            self._find(number, ("no-lost-acknowledgement",), what, certain=True)
        elif self._samples.is_repeat(sample_number) and sample.operation != "deliver":
            what = "was told that it had been done before, and did it"
            self._find(number, ("no-lost-acknowledgement",), what, certain=True)
        return change

    def _compare(
        self, number: int, sample: Sample, before: Market, part: Part, change: Change, made: str | None
    ) -> None:
        """What the commit left, beside what the model leaves."""
        if sample.operation == "buy_credits":
            if not self._is_top_up(sample, change, made):
                self._find(number, ("conservation", "serializable"), f"made {self.books.top_ups.get(made or '')}")
            return
        fit, result, expected = fits(sample, before, made)
        seen = self.books.market(part, self._now)
        beyond = set() if sample.operation == "sweep" else set(change.ids()) - set(part.ids())
        if beyond:
            self._find(number, ("serializable",), f"also changed {', '.join(sorted(beyond))}")
        if seen != expected:
            wrong = differences(seen, expected)
            names = [_PROPERTY_OF.get(each.path.partition(".")[0], "serializable") for each in wrong]
            if sample.operation == "deliver":
                names.insert(0, "webhook-idempotent")
            some = "; ".join(f"{each.path} is {each.seen}, not {each.valid}" for each in wrong[:_DIFFERENCES_MAX])
            more = f", and {len(wrong) - _DIFFERENCES_MAX} more" if len(wrong) > _DIFFERENCES_MAX else ""
            told_no = f" ({show(result)})" if result.status is not Status.OK else ""
            self._find(number, (*names, "serializable"), f"left what the model does not{told_no}: {some}{more}")
        elif sample.status == Status.OK and not fit:
            self._find(number, ("serializable",), self._otherwise(sample, result, made))

    def _find(self, number: int, properties: tuple[str, ...], what: str, *, certain: bool = False) -> None:
        """A finding about the operation of this commit. Unless it is certain, it is searched again."""
        asked = self._matched.samples[number]
        sample = self._samples.read(asked)
        why = f"{sample.client}'s {brief(sample)} {what}"
        self.findings.append(Finding(tuple(dict.fromkeys(properties)), why, number, asked, certain=certain))

    def _otherwise(self, sample: Sample, result: Result, made: str | None) -> str:
        answer, seen = sample.answer or {}, told(sample)
        purchase = self.books.purchases.get(made or "")
        if answer.get("purchase") not in (None, made):
            return f"was told of purchase {answer['purchase']}, and made {made}"
        if agrees(result, seen) and purchase is not None:
            return f"was told a total of {answer.get('total')}, not {purchase.total}"
        return f"was told {show(seen)}, not {show(result)}"

    def _is_top_up(self, sample: Sample, change: Change, made: str | None) -> bool:
        """Whether it made a pending top-up of what was asked for, and nothing else."""
        row = self.books.top_ups.get(made or "")
        if row is None or set(change.ids()) != {made}:
            return False
        asked = row.amount if sample.amount is None else Decimal(sample.amount)
        return row == TopUpRow(sample.workspace or row.workspace, asked)

    def _is_first_answer(self, made: str | None, answer: Mapping[str, Any]) -> bool:
        """A replay is told what the first was told."""
        if not made or answer.get("purchase") not in (None, made):
            return False
        purchase = self.books.purchases.get(made)
        if purchase is None:
            return made in self.books.top_ups
        balance, total = amount(answer.get("balance")), amount(answer.get("total"))
        return balance in (None, purchase.balance_after) and total in (None, purchase.total)
