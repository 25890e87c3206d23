"""Form-encoded parameters with brackets."""

from __future__ import annotations

from typing import Any

import pytest

from harness.gateway.form import read_form
from harness.gateway.refusal import RefusalError


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        (b"a[0][x]=1&a[1][x]=2&a[10]=z", {"a": [{"x": "1"}, {"x": "2"}, "z"]}),
        (b"expand[]=x&expand[]=y", {"expand": ["x", "y"]}),
        (b"metadata%5Bk%20y%5D=%C3%A9+%26", {"metadata": {"k y": "é &"}}),
    ],
)
def test_what_is_meant(body: bytes, read: dict[str, Any]) -> None:
    assert read_form(body) == read


@pytest.mark.parametrize("body", [b"a=1&a=2", b"a=1&a[b]=2", b"a[b]=1&a=2", b"[a]=1", b"a[b=1", b"\xff=1", b"no form"])
def test_what_means_nothing_is_refused(body: bytes) -> None:
    with pytest.raises(RefusalError) as no:
        read_form(body)
    assert no.value.status == 400


def test_a_flood_is_refused() -> None:
    with pytest.raises(RefusalError):
        read_form(b"&".join(b"a%d=1" % number for number in range(1001)))
