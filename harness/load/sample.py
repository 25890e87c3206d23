"""A sample: one operation of one client, as it happened. The raw history of a load run, one JSON line each.

A file belongs to one process. Whoever makes the load writes samples and judges nothing; the check and the figures read
them. A file ends with a line of its own when its process ended in good order; without it, the process was killed, and
some of its last operations may be missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from harness.words.errors import UsageError
from harness.words.history import Status

_BUFFERED_BYTES_MAX = 64 * 1024
_BUFFERED_S_MAX = 0.2


class Sample(NamedTuple):
    """What was asked, when, and what the client was told. What an operation has no use for is None.

    ``operation`` is ``buy`` (with credits), ``checkout`` (with Stripe), ``buy_credits`` (makes a pending top-up),
    ``deliver`` (a webhook), ``read``, or a call of ``subject.toml``: ``top_up``, ``complete_credit``,
    ``complete_stripe``, ``refund``, ``mark_sold``, ``sweep``, ``validate``, ``update_price``.

    Ids are text, as PostgreSQL prints them. ``purchase`` is the purchase, or the purchase of credits, that is made or
    changed; None where the server chose the id and the client never heard it. ``amount`` is exact decimal text.
    """

    client: str
    operation: str
    intended: float
    """Seconds of CLOCK_MONOTONIC, which the processes of one machine share: when it should have begun."""
    invoked: float
    """Before the first byte was sent."""
    returned: float | None
    """After the answer had been read. None when none came."""
    status: str
    """A value of ``harness.words.history.Status``."""
    code: str = ""
    """The word of a refusal, or an SQLSTATE."""
    http: int | None = None
    answer: Mapping[str, Any] | None = None
    """What the client was told: ``purchase``, ``total``, ``balance`` (after it), ``already_completed``, ``replayed``,
    ``marked`` (leads); of a read also ``status`` and ``leads``; of a refusal ``required`` and ``available``."""
    workspace: str | None = None
    leads: tuple[str, ...] | None = None
    purchase: str | None = None
    event: str | None = None
    kind: str | None = None
    """The type of the event: ``checkout.session.completed``."""
    key: str | None = None
    """The idempotency key."""
    amount: str | None = None

    def line(self) -> bytes:
        """As one line of JSON. What is None is left out."""
        fields = {name: value for name, value in zip(self._fields, self, strict=True) if value is not None}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def sample_of(fields: dict[str, Any]) -> Sample:
    """A sample from its JSON object. Raises ``TypeError`` or ``ValueError`` with what is wrong with it."""
    fields.setdefault("returned", None)
    if "leads" in fields:
        fields["leads"] = tuple(fields["leads"])
    sample = Sample(**fields)
    if sample.status not in _STATUSES:
        raise ValueError(f"status {sample.status!r:.40}")
    if type(sample.intended) not in _NUMBERS or type(sample.invoked) not in _NUMBERS:
        raise TypeError(f"intended {sample.intended!r:.40} and invoked {sample.invoked!r:.40}")
    if sample.returned is not None and type(sample.returned) not in _NUMBERS:
        raise TypeError(f"returned {sample.returned!r:.40}")
    return sample


def identity_of_key(workspace: str | None, key: str) -> str:
    """A key is its workspace's own."""
    return f"{workspace}/{key}"


def identity_of_price(lead: str, price: str | None) -> str:
    """A price of a lead, or any of its prices. However many zeros there are, 1.50 is 1.5."""
    return f"{lead}=" if price is None else f"{lead}={Decimal(price).normalize()}"


_STATUSES = frozenset(Status)
_NUMBERS = (float, int)


class SampleWriter:
    """A context manager that appends the samples of this process to a new file, in the order of ``write``.

    A process that is killed loses those of its last fifth of a second. Nothing else writes the file, and one thread
    (with whatever greenlets) calls ``write``. Raises ``OSError`` when the file is there already or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._lines: list[bytes] = []
        self._bytes = 0
        self._flushed = monotonic()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, sample: Sample) -> None:
        """Once the answer has come, or it is clear that none will."""
        line = sample.line()
        self.count += 1
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= _BUFFERED_BYTES_MAX or monotonic() - self._flushed >= _BUFFERED_S_MAX:
            self.flush()

    def flush(self) -> None:
        """What was written so far is in the file afterwards. Call it when clients are idle."""
        text = memoryview(b"".join(self._lines))
        self._lines, self._bytes, self._flushed = [], 0, monotonic()
        while text:
            text = text[os.write(self._file, text) :]

    def close(self) -> None:
        """Write the last line, which says that nothing is missing. A second time it does nothing."""
        if self._file >= 0:
            self._lines.append(b'{"samples":%d}\n' % self.count)
            self.flush()
            os.close(self._file)
            self._file = -1


class SampleFile:
    """Reads a file of samples. Iterating holds one at a time, however long the file is, and may be done again.

    ``whole`` says, after an iteration, whether the process ended in good order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = False

    def __iter__(self) -> Iterator[Sample]:
        """Raises ``UsageError`` for a line that is no sample, and names it.

        The last line may be cut off: its process was killed while it wrote.
        """
        count = 0
        self.whole = False
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    sample = self._read(line, count)
                except (ValueError, TypeError, AttributeError) as error:
                    raise UsageError(
                        "bad-sample", f"{self.path}:{number}: {error}", expected="one sample, a JSON object"
                    ) from error
                if sample is not None:
                    yield sample
                count += 1

    def _read(self, line: bytes, count: int) -> Sample | None:
        """None for the last line, which counts the samples before it."""
        if self.whole:
            raise ValueError("a line after the last one")
        fields = json.loads(line)
        if fields.keys() != {"samples"}:
            return sample_of(fields)
        if fields["samples"] != count:
            raise ValueError(f"the last line counts {fields['samples']} samples, and {count} are there")
        self.whole = True
        return None


def read_samples(paths: Iterable[Path]) -> Iterator[Sample]:
    """The samples of several files, one file after the other."""
    for path in paths:
        yield from SampleFile(path)
