"""What could have happened: the outcomes of all serial orders, the nearest to what was seen first.

This is the explanation of a refutation, in the manner of "state (-10, 2) matches no serial order; valid: (0, 1)". It is
data first (``Explanation``), prose second (``Explanation.sentence``), and is made only for a history that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from heapq import heappop, heappush
from itertools import chain, count
from operator import eq, itemgetter
from typing import Any

from harness.check.linearizability import Apply, S, effect_is_possible, predecessors
from harness.words.history import Call, Result, Status

_Wrong = tuple[tuple[int, Result], ...]
"""Positions of calls that were answered otherwise, with the model's answers."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where what was seen is not what an outcome has. ``path`` leads there: ``balances.A``."""

    path: str
    seen: Any
    valid: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one serial order (or several) leads to, beside what was seen."""

    order: tuple[Call, ...]
    """One order that leads here."""
    final: Any
    """The view of the model state in the end."""
    answers: tuple[Difference, ...]
    """Answers that were seen to be others; the path is the position in the history's calls."""
    state: tuple[Difference, ...]
    """Where the final state was seen to be another."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was seen, and the distinct outcomes of the serial orders, the nearest first."""

    final: Any
    outcomes: tuple[Outcome, ...]
    whole: bool
    """Every serial order was tried. When False there were too many: another outcome may be nearer."""

    @property
    def closest(self) -> Outcome:
        return self.outcomes[0]

    def sentence(self, show: Callable[[Any], str] = str, most: int = 4) -> str:
        """The seen state, or the seen answers when no order gives those, beside at most ``most`` valid ones.

        ``show`` turns a view of a state or a ``Result`` into text.
        """
        wrong = self.closest.answers
        if wrong:
            seen = "answer " + ", ".join(f"{show(answer.seen)} of call {answer.path}" for answer in wrong)
            closest = ", ".join(show(answer.valid) for answer in wrong)
            return f"{seen} matches no serial order; closest: {closest}"
        valid = list(dict.fromkeys(show(outcome.final) for outcome in self.outcomes if not outcome.answers))
        more = f" and {len(valid) - most} more" if len(valid) > most else ""
        return f"state {show(self.final)} matches no serial order; valid: {', '.join(valid[:most])}{more}"


def explain(
    calls: Sequence[Call],
    initial: S,
    apply: Apply[S],
    *,
    final: object = None,
    view: Callable[[S], object] = lambda state: state,
    matches: Callable[[Result, Result], bool] = eq,
    limit: int = 10_000,
) -> Explanation:
    """The outcomes of the serial orders that respect real time, for a history that ``find_witness`` refuted.

    The arguments are those of ``find_witness``. Orders with fewer wrong answers are tried first (uniform-cost search on
    operations done, model state and wrong answers), so that a search that ends at ``limit`` configurations has the
    nearest answers all the same; at least one outcome is always found.
    """
    indices = [i for i, call in enumerate(calls) if effect_is_possible(call)]
    before = predecessors(calls)
    possible = sum(1 << i for i in indices)
    unknown = sum(1 << i for i in indices if calls[i].result.status == Status.UNKNOWN)
    ticket = count()
    start: tuple[int, S, _Wrong] = (0, initial, ())
    entered = {start}
    heap = [(0, 0, next(ticket), start, tuple[int, ...]())]
    outcomes: dict[tuple[_Wrong, object], Outcome] = {}
    while heap and (len(entered) <= limit or not outcomes):
        *_, (done, state, wrong), order = heappop(heap)
        if (done | unknown) & possible == possible and (wrong, view(state)) not in outcomes:
            reached = view(state)
            outcomes[wrong, reached] = Outcome(
                tuple(calls[i] for i in order),
                reached,
                tuple(Difference(str(i), calls[i].result, answer) for i, answer in wrong),
                () if final is None else differences(final, reached),
            )
        for i in indices:
            if done >> i & 1 or before[i] & possible & ~done:
                continue
            answer, after = apply(state, calls[i].operation)
            fits = unknown >> i & 1 or matches(answer, calls[i].result)
            still_wrong = wrong if fits else tuple(sorted((*wrong, (i, answer)), key=itemgetter(0)))
            following = (done | 1 << i, after, still_wrong)
            if following not in entered:
                entered.add(following)
                heappush(heap, (len(still_wrong), -len(order) - 1, next(ticket), following, (*order, i)))
    nearest = sorted(outcomes.values(), key=lambda outcome: len(outcome.answers) + len(outcome.state))
    return Explanation(final, tuple(nearest), whole=not heap)


def differences(seen: Any, valid: Any, path: str = "") -> tuple[Difference, ...]:
    """Where two values of one shape differ.

    Looks into the fields of dataclasses, the keys of mappings and of tuples of (name, value) pairs, and the places of
    other tuples of equal length. A name that one side lacks is shown as None there.
    """
    if seen == valid:
        return ()
    left, right = _parts(seen), _parts(valid)
    names = dict.fromkeys([*(left or ()), *(right or ())])
    if left is None or right is None or (left.keys() != right.keys() and not all(isinstance(n, str) for n in names)):
        return (Difference(path, seen, valid),)
    inner = (differences(left.get(name), right.get(name), f"{path}.{name}" if path else str(name)) for name in names)
    return tuple(chain.from_iterable(inner))


def _parts(value: object) -> dict[Any, Any] | None:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        pairs = all(isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str) for part in value)
        return dict(value) if pairs and len(dict(value)) == len(value) else dict(enumerate(value))
    return None
