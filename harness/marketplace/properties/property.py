"""What a property is: an id, one line of meaning, what it needs to be judged, and a judgement of a history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.marketplace.properties.facts import Facts

Judgement = Iterator[tuple[str, tuple[tuple[str, str], ...]]]
"""Each broken case: why, in one sentence, and the guilty names with their values."""


@dataclass(frozen=True, slots=True)
class Property:
    """``needs`` names the parts of ``State`` without which the property cannot be judged.

    ``concerns`` says whether there is anything in a history that the property speaks about; without it, the property is
    not applicable. It looks at what was asked for, never at the answers, so that it says the same of all runs of a
    scenario. ``reads_events`` is set when the judgement looks at the events, and so may differ between two histories
    with the same answers, order and final state.
    """

    id: str
    meaning: str
    judge: Callable[[Facts], Judgement]
    needs: tuple[str, ...] = ()
    concerns: Callable[[Facts], bool] = lambda _: True
    reads_events: bool = False
