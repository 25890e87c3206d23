"""How the gateway says no: with a status and an error object, as Stripe does."""

from __future__ import annotations

from typing import Any


class RefusalError(Exception):
    """A request that is not carried out. ``kind`` is the error's type, ``param`` the parameter that is to blame."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param

    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        told = {"type": self.kind, "message": self.message, "code": self.code, "param": self.param}
        return {"error": {name: value for name, value in told.items() if value is not None}}


def missing(what: str, id_: str) -> RefusalError:
    """There is no such thing."""
    return RefusalError(f"No such {what}: '{id_}'", status=404, code="resource_missing", param="id")
