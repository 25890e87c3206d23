"""What every page has in common: its head, verdict and contents, and how templates become markup.

Texts of a document are escaped wherever a template sets them, and the page forbids every script but its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

Mood = Literal["bad", "good", "doubt", "plain"]
"""How a thing is coloured; what it is, words say as well."""

TEMPLATES = Path(__file__).parent / "templates"

MOODS: dict[str, Mood] = {"violated": "bad", "holds": "good", "not_applicable": "plain"}
"""Of a verdict; one that is not here leaves something in doubt."""


@dataclass(frozen=True, slots=True)
class Section:
    """``id`` is the anchor; ``note`` stands small beside the title."""

    id: str
    title: str
    content: Markup
    note: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """What is on a page. ``verdict`` is the result in one line, ``facts`` how much was run, and where.

    ``styles`` and ``scripts`` are further files of ``templates/`` that the page needs.
    """

    title: str
    verdict: str
    mood: Mood
    facts: Sequence[str]
    sections: Sequence[Section]
    styles: Sequence[str] = ()
    scripts: Sequence[str] = ()


def page(body: Body, document: Mapping[str, Any]) -> str:
    """The whole page, of which ``document`` is the source."""
    script = "\n".join(_text(name) for name in ("script.js", *body.scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return rendered(
        "page.html.jinja",
        body=body,
        sections=[each for each in body.sections if each.content],
        kind=str(document["format"]).removeprefix("harness-"),
        run=document.get("run", {}),
        style=Markup("\n".join(_text(name) for name in ("style.css", *body.styles))),
        script=Markup(script),
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:",
    )


def rendered(template: str, **values: Any) -> Markup:
    """A template of ``templates/`` filled in: what is no ``Markup`` is escaped, what is missing is an error."""
    return Markup(_environment().get_template(template).render(values))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
