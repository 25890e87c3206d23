"""All samples of a run by number: the times in memory, the rest on disk until it is asked for.

A million samples as objects would fill a gigabyte. Here a sample costs its times, a few flags, its place in a file that
is quicker to read than JSON, and an index by what it was about: key, event, purchase.
"""

from __future__ import annotations

import marshal
import mmap
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from harness.load.sample import Sample, SampleFile, identity_of_key, identity_of_price
from harness.words.errors import UsageError
from harness.words.history import Status

STATUSES = tuple(Status)
OPERATIONS = (
    "buy",
    "checkout",
    "buy_credits",
    "deliver",
    "read",
    "top_up",
    "complete_credit",
    "complete_stripe",
    "refund",
    "mark_sold",
    "sweep",
    "validate",
    "update_price",
)
"""What a sample may be of."""

_READ_MAX = 8192
"""Samples that are kept as objects: those that wait for their place are looked at again and again."""


class Samples:
    """A context manager. ``clock_error_s`` is how far two clocks of the run may be apart, on several machines: no
    operation is then said to precede another by less.

    Raises ``UsageError`` for a line that is no sample, and for an operation that nobody knows.
    """

    def __init__(self, paths: Iterable[Path], *, clock_error_s: float = 0.0) -> None:
        self.invoked = array("d")
        self.returned = array("d")
        """Infinite for one that never had an answer, or none that says how it ended: the server may still be at it."""
        self.whole = True
        """Every process ended in good order: no sample is missing."""
        self._paths = list(paths)
        self._clock_error_s = clock_error_s
        self._status = bytearray()
        self._operation = bytearray()
        self._repeats = bytearray()
        self._places = array("Q", [0])
        self._hashes = array("q")
        self._numbers = array("q")
        self._kept: dict[int, Sample] = {}
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            spool = entered.enter_context(TemporaryFile())
            for path in self._paths:
                file = SampleFile(path)
                for sample in file:
                    self._add(sample, path)
                    record: Any = tuple(sample)
                    self._places.append(self._places[-1] + spool.write(marshal.dumps(record)))
                self.whole &= file.whole
            spool.flush()
            self._sort()
            # An empty file cannot be mapped, and nobody reads of it.
            if len(self):
                self._spool = entered.enter_context(mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ))
            self._exits = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.__exit__(kind, error, traceback)

    def __len__(self) -> int:
        return len(self.invoked)

    def read(self, number: int) -> Sample:
        """A sample by its number."""
        sample = self._kept.get(number)
        if sample is None:
            if len(self._kept) == _READ_MAX:
                self._kept.clear()
            record = self._spool[self._places[number] : self._places[number + 1]]
            sample = self._kept[number] = Sample._make(marshal.loads(record))
        return sample

    def status(self, number: int) -> Status:
        """How it ended."""
        return STATUSES[self._status[number]]

    def operation(self, number: int) -> str:
        """One of ``OPERATIONS``."""
        return OPERATIONS[self._operation[number]]

    def is_repeat(self, number: int) -> bool:
        """Whether the client was told that it had been done already."""
        return bool(self._repeats[number])

    def about(self, identity: str) -> Sequence[int]:
        """The samples about this key (``identity_of_key``), event or purchase, or lead for those that name nothing
        else; in the order in which they were read."""
        wanted = hash(identity)
        first = last = bisect_left(self._hashes, wanted)
        while last < len(self._hashes) and self._hashes[last] == wanted:
            last += 1
        return self._numbers[first:last]

    def of(self, operation: str) -> Iterator[int]:
        """All of one operation."""
        code = OPERATIONS.index(operation)
        return (number for number, other in enumerate(self._operation) if other == code)

    def _add(self, sample: Sample, path: Path) -> None:
        number, answer, returned = len(self.invoked), sample.answer, sample.returned
        lost = returned is None or sample.status == Status.UNKNOWN
        code = _CODES.get(sample.operation)
        if code is None:
            raise UsageError(
                "bad-sample", f"{path}: {sample.operation!r:.40} is no operation", expected=", ".join(OPERATIONS)
            )
        self.invoked.append(sample.invoked - self._clock_error_s)
        self.returned.append(inf if lost or returned is None else returned + self._clock_error_s)
        self._status.append(_STATUS_CODES[Status.UNKNOWN if lost else sample.status])
        self._operation.append(code)
        self._repeats.append(bool(answer and (answer.get("already_completed") or answer.get("replayed"))))
        if sample.key is not None:
            self._index(identity_of_key(sample.workspace, sample.key), number)
        if sample.event is not None:
            self._index(sample.event, number)
        if sample.purchase is not None:
            self._index(sample.purchase, number)
        elif code == _CODES["mark_sold"]:
            # Those that it marked, where it was told: another may have wanted the same.
            for lead in (answer or {}).get("marked", sample.leads or ()):
                self._index(lead, number)
        elif code == _CODES["update_price"]:
            for lead in sample.leads or ():
                for price in (sample.amount, None):
                    self._index(identity_of_price(lead, price), number)

    def _index(self, identity: str, number: int) -> None:
        # 64 bits of a keyed hash: that two of a million ids share one happens once in thirty million runs.
        self._hashes.append(hash(identity))
        self._numbers.append(number)

    def _sort(self) -> None:
        """Half of what a dictionary would take; those with one identity stay in the order in which they came."""
        order = sorted(range(len(self._hashes)), key=self._hashes.__getitem__)
        self._hashes = array("q", (self._hashes[place] for place in order))
        self._numbers = array("q", (self._numbers[place] for place in order))


_CODES = {name: code for code, name in enumerate(OPERATIONS)}
_STATUS_CODES = {status.value: code for code, status in enumerate(STATUSES)}
