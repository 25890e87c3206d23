"""``harness report``: what a run document says, in whatever form, and all past runs on one page."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.doors.saving import Saving
from harness.doors.saying import colour, say, width
from harness.gate.merge import merged
from harness.report.stored import LATEST, RUNS, find, read
from harness.report.views import text, view
from harness.verify.document import write_text
from harness.words.errors import ExitCode, HarnessError, UsageError


def report(names: Sequence[str], *, form: str, out: Path | None, reports: Path, opens: bool) -> int:
    """Show runs as ``form``; pages are written beside their documents, texts said, or either written to ``out``."""
    if out is not None and len(names) > 1:
        raise UsageError("one-out", "--out is one file, and there are several runs", remedy="leave --out out")
    if opens and form != "html":
        raise UsageError("no-page", f"--open shows a page, and {form} is none", remedy="leave out --as, or --open")
    for name in names or [LATEST]:
        path = find(name, reports)
        document = read(path)
        shown = _shown(document, path, form)
        if out is not None:
            write_text(out, shown)
        elif form == "html":
            out_of_run = page_of(path)
            write_text(out_of_run, shown)
            _present(out_of_run, opens=opens)
        else:
            say(shown.rstrip("\n"))
        if out is not None and form == "html":
            _present(out, opens=opens)
    return ExitCode.HOLDS


def index(reports: Path, *, out: Path | None, opens: bool) -> int:
    """Write the page of all runs, and the pages of those that have none yet; returns the exit code."""
    from harness.report.html import BODIES
    from harness.report.html.index import Known, body, index_page

    path = out or reports / "index.html"
    known = []
    for file in sorted((reports / RUNS).glob("*.json")):
        page = page_of(file)
        try:
            document = read(file)
            shown = document["format"] in BODIES
            if shown and not page.is_file():
                write_text(page, _shown(document, file, "html"))
            link = Path(os.path.relpath(page, path.parent)).as_posix() if shown else ""
            found = Known(file.name, document, link)
            with _described(file, document["format"]):
                body([found, found])  # as a trend, too: one that cannot be told must not keep the others from it
            known.append(found)
        except UsageError as error:
            known.append(Known(file.name, None, "", str(error)))
    write_text(path, index_page(known))
    _present(path, opens=opens)
    return ExitCode.HOLDS


def merge(names: Sequence[str], *, reports: Path, json_file: Path | None) -> int:
    """Make one document of the shards of a verification, a sweep or a gate, save and say it; returns its exit code."""
    if not names:
        raise UsageError("nothing-to-merge", "--merge without runs", expected="the documents of all shards")
    paths = [find(name, reports) for name in names]
    documents = [read(path) for path in paths]
    with _described(" or ".join(map(str, paths)), documents[0]["format"]):
        whole = merged(documents)
        text(whole, width=width(), colour=False)  # before anything of it is written
        saving = Saving(
            str(whole["format"]).removeprefix("harness-"),
            whole["subject"]["name"],
            reports=reports,
            json_file=json_file,
        )
    return saving.ended(whole)


def page_of(path: Path) -> Path:
    """Where the page of the document in ``path`` goes: beside it, or above the directory of all runs."""
    page = path.with_suffix(".html")
    return page.parent.parent / page.name if page.parent.name == RUNS else page


def _shown(document: dict[str, Any], path: Path, form: str) -> str:
    with _described(path, document["format"]):
        if form == "text":
            return text(document, width=width(), colour=colour())
        return view(form, document)


@contextmanager
def _described(where: Path | str, kind: str) -> Iterator[None]:
    """What is done with a document as its description has it. ``UsageError`` where the one in ``where`` has it not."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # a part of a wrong kind may fail in any way, and templates have errors of their own
        raise UsageError(
            "bad-run-document",
            f"{where} lacks a part or has one of a wrong kind ({type(error).__name__}: {error})",
            expected=f"a {kind} as docs/run-document.md describes it",
            remedy="it may have been changed: run it again",
        ) from error


def _present(page: Path, *, opens: bool) -> None:
    say(str(page))
    if opens and not (_has_browser() and webbrowser.open(page.absolute().as_uri())):
        say("There is no browser to open it in here.")


def _has_browser() -> bool:
    """Without a display only a browser that somebody names is one: those of a terminal would take it over."""
    windows = sys.platform in ("darwin", "win32")
    return windows or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
