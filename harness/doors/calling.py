"""How the command was called, fit to be kept: without what is secret."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from harness.words.dsn import is_dsn
from harness.words.secret import HIDDEN, without_secrets_in

_called: ContextVar[str] = ContextVar("called", default="harness")
_QUERY = re.compile(r"\?.*", re.DOTALL)


def called(arguments: Sequence[str]) -> None:
    """Note the words after ``harness``; ``command_line`` tells them."""
    _called.set(shlex.join(["harness", *without_secrets(arguments)]))


def command_line() -> str:
    """The command that runs, as a shell takes it; ``...`` is in the place of a DSN, a user's name and a password."""
    return _called.get()


def without_secrets(arguments: Sequence[str]) -> Iterator[str]:
    """The words of a command, with a DSN hidden, and of any other URL who asks and what."""
    previous = ""
    for word in arguments:
        option, equals, value = word.partition("=")
        if previous == "--dsn":
            yield HIDDEN
        elif option == "--dsn" and equals:
            yield f"{option}={HIDDEN}"
        elif option.startswith("--") and equals:
            yield f"{option}={_hidden(option, value)}"
        else:
            yield _hidden(previous, word)
        previous = word


def _hidden(option: str, value: str) -> str:
    if (option == "--database" and is_dsn(value)) or value.startswith(("postgresql://", "postgres://")):
        return HIDDEN
    if "://" in value:
        return _QUERY.sub("?" + HIDDEN, without_secrets_in(value))
    return without_secrets_in(value)
