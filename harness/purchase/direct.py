"""A route that reads its body at once: pydantic takes the bytes as they came, and nobody else looks at them.

FastAPI asks the endpoint's signature anew for every request what it wants and where that is to be found. Here that is
known: a token, and a message. The document is FastAPI's own, made of the same signature.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError


class DirectRoute(APIRoute):
    """For endpoints ``(token: TokenHash, wanted: SomeMessage)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What takes a request to the endpoint. It raises ``RequestValidationError``, and ``Refusal`` of a token."""
        endpoint, (token_of,) = self.endpoint, [each.call for each in self.dependant.dependencies]
        assert token_of is not None
        (body,) = self.dependant.body_params
        message: type[BaseModel] = body.field_info.annotation  # type: ignore[assignment]

        async def handle(request: Request) -> Response:
            token = await token_of(request)
            try:
                wanted = message.model_validate_json(await self._json(request))
            except ValidationError as error:
                raise RequestValidationError(
                    [*map(told, error.errors(include_url=False, include_input=False))]
                ) from None
            answer: Response = await endpoint(token=token, wanted=wanted)
            return answer

        return handle

    @staticmethod
    async def _json(request: Request) -> bytes:
        """The body, if it is said to be JSON; else none."""
        body = await request.body()
        main, _, sub = request.headers.get("content-type", "").partition(";")[0].strip().lower().partition("/")
        return body if main == "application" and (sub == "json" or sub.endswith("+json")) else b""


def told(error: Any) -> dict[str, Any]:
    """An error of pydantic's, as FastAPI tells it."""
    why = "JSON decode error" if error["type"] == "json_invalid" else error["msg"]
    return {**error, "loc": ("body", *error["loc"]), "msg": why}
