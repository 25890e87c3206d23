"""What the charts of a load run are drawn from: the timeline and the looks as tables, with their columns by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.html.charts import Event, Layer, Point, Values, largest
from harness.report.html.scales import Scale, clock, moments, number, time
from harness.report.phrases import sqlstate

STATUS_TONES = {"ok": "one", "refused": "two", "busy": "four", "failed": "five", "unknown": "bad"}
"""In the order in which they are piled up."""
TONES = ("one", "two", "three", "four", "five", "six")
LAYERS_MAX = 6
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Timeline:
    """The buckets of a run and its looks, on one time axis."""

    document: Mapping[str, Any]

    @property
    def buckets(self) -> Sequence[Mapping[str, Any]]:
        return self.document["timeline"]["buckets"]  # type: ignore[no-any-return]

    @property
    def looks(self) -> Sequence[Mapping[str, Any]]:
        return self.document["looks"]["rows"]  # type: ignore[no-any-return]

    @property
    def x(self) -> Scale:
        return moments(self.document["seconds"])

    @property
    def opened(self) -> bool:
        return self.document["load"]["rate"] is not None

    @property
    def edges(self) -> list[float]:
        """Between the buckets, the end of the last one as well."""
        width = self.document["timeline"]["bucket_seconds"] or 1.0
        return [*(bucket["at"] for bucket in self.buckets), len(self.buckets) * width]

    @property
    def middles(self) -> list[float]:
        end = self.document["seconds"]
        return [(left + min(end, right)) / 2 for left, right in zip(self.edges, self.edges[1:], strict=False)]

    def line(self, model: str, name: str) -> list[Point]:
        """A percentile over time; ``model`` is ``closed_ms`` or ``open_ms``."""
        return [(at, bucket[model][name]) for at, bucket in zip(self.middles, self.buckets, strict=True)]

    def statuses(self) -> list[Layer]:
        """Answers per second by status, those that there are."""
        return [
            Layer(status, values, tone)
            for status, tone in STATUS_TONES.items()
            if any(values := [self._rate(bucket, bucket["statuses"].get(status, 0)) for bucket in self.buckets])
        ]

    def refusals(self) -> list[Layer]:
        """Refusals per second by their word, the most frequent first."""
        codes = dict.fromkeys(code for bucket in self.buckets for code in bucket["refusals"])
        rows = [
            (word(code), [self._rate(bucket, bucket["refusals"].get(code, 0)) for bucket in self.buckets])
            for code in codes
        ]
        return largest(rows, LAYERS_MAX, TONES)

    def busy(self) -> list[Layer]:
        """Sessions by what they are at, at each look."""
        names = dict.fromkeys(name for row in self.looks for name in row["busy"] or {})
        rows = [(name, [(row["busy"] or {}).get(name, 0.0) for row in self.looks]) for name in names]
        return largest(rows, LAYERS_MAX, TONES)

    def events(self) -> list[Event]:
        """What was done to the service. Crashes are told, of kills there may be many."""
        return [
            Event(mark["at"], mark["until"], mark["kind"], "crash" if mark["kind"] == "crash" else "")
            for mark in self.document["disturbances"]["marks"]
        ]

    def values(self) -> Values:
        """The table of all charts of the timeline."""
        columns = self._columns()
        rows = [
            (self.x.at(at), [clock(round(bucket["at"], 3)), *(cells[place] for cells in columns.values())])
            for place, (at, bucket) in enumerate(zip(self.middles, self.buckets, strict=True))
        ]
        return Values("timeline-values", ["from", *columns], rows)

    def places(self, *names: str) -> list[int]:
        """The columns of these names in that table, of those that there are."""
        heads = ["from", *self._columns()]
        return [heads.index(name) for name in names if name in heads]

    def _columns(self) -> dict[str, list[str]]:
        columns = {"answers/s": [number(bucket["per_second"]) for bucket in self.buckets]}
        layers = {layer.name: layer.values for layer in (*self.statuses(), *self.refusals())}
        columns |= {
            f"{name}/s": [number(each) if each else NOTHING for each in rates] for name, rates in layers.items()
        }
        for model, since in (("closed_ms", "sending"), *([("open_ms", "arrival")] if self.opened else [])):
            for name in ("p50", "p90", "p99", "max"):
                columns[f"{since} {name}"] = [
                    NOTHING if bucket[model][name] is None else time(bucket[model][name]) for bucket in self.buckets
                ]
        return columns

    @staticmethod
    def _rate(bucket: Mapping[str, Any], answers: int) -> float:
        """So many of the bucket's answers, a second."""
        whole = sum(bucket["statuses"].values())
        return answers / whole * bucket["per_second"] if whole else 0.0


def word(code: str) -> str:
    """A refusal's own word; of an SQLSTATE, what it means."""
    return sqlstate(code) if len(code) == 5 and code.isupper() else code
