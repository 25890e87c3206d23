"""The page at ``/docs``: one file that asks nobody but this API, as its headers have the browser see to."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).with_name("docs.html").read_bytes()

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
