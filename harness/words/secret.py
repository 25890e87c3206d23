"""What is secret in a text that is to be kept: passwords, tokens, and how a database is reached."""

from __future__ import annotations

import re

HIDDEN = "..."
"""Written for what is secret."""

_DSN = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://[^\s'\"]+")
_AUTHORITY = re.compile(r"(?<=://)[^/@\s]*@")
_NAME = r"password|passwd|secret|token|api_?key"
_IS_NAME = re.compile(_NAME, re.IGNORECASE)
_NAMED = re.compile(
    # From the beginning of a word only: in the middle of a long one, each place would read the rest of it again.
    rf"""((?<![\w-])[\w-]*(?:{_NAME})[\w-]*["']?\s*(?:=(?!=)|:(?=\s*["']))\s*)"""
    r"""('[^']*'|"[^"]*"|[^\s'"]+)""",
    re.IGNORECASE,
)


def names_a_secret(name: str) -> bool:
    """Whether what has this name is a secret."""
    return bool(_IS_NAME.search(name))


def without_secrets_in(text: str) -> str:
    """``text`` with ``...`` for each DSN, for the user of any other URL, and for what a name says is a secret."""
    return _NAMED.sub(rf"\1{HIDDEN}", _AUTHORITY.sub(f"{HIDDEN}@", _DSN.sub(HIDDEN, text)))
