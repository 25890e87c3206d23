"""Idempotency keys of the gateway's API, as Stripe has them: the same key, the same answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.gateway.refusal import RefusalError

_LENGTH_MAX = 255


class Keys:
    """What was answered to each key. What is refused before anything is done is not kept, and may be tried again."""

    def __init__(self) -> None:
        # Hash of the request and text of its answer: a load run has many.
        self._kept: dict[str, tuple[bytes, bytes]] = {}

    def once(
        self, key: str | None, route: str, parameters: Mapping[str, Any], work: Callable[[], Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], bool]:
        """(answer, replayed): do the work, or give the answer of the first request with this key.

        Raises ``RefusalError`` for a key that came with another request before.
        """
        if key is None:
            return work(), False
        if not key or len(key) > _LENGTH_MAX:
            raise RefusalError(f"Idempotency keys have 1 to {_LENGTH_MAX} characters.", kind="idempotency_error")
        asked = hashlib.sha256(json.dumps([route, parameters], sort_keys=True).encode()).digest()
        if key in self._kept:
            before, kept = self._kept[key]
            if before != asked:
                raise RefusalError(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                    kind="idempotency_error",
                )
            return json.loads(kept), True
        answer = work()
        self._kept[key] = (asked, json.dumps(answer).encode())
        return answer, False
