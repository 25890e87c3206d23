"""``harness report``: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from harness import doors
from harness.options import REPORTS, Reports
from harness.words.errors import UsageError

Form = Literal["html", "markdown", "junit", "text", "trace"]


def report(
    *runs: Annotated[str, Parameter(show_env_var=False)],
    form: Annotated[Form | None, Parameter(name="--as")] = None,
    open: bool = False,
    out: Path | None = None,
    index: bool = False,
    merge: bool = False,
    json: Path | None = None,
    reports: Reports = REPORTS,
) -> int:
    """Show past runs: as a page, a text, Markdown, JUnit or a trace; or all of them on one page, or shards as one run.

    Parameters
    ----------
    runs:
        run documents: files, ids, or latest; the latest if left out
    form:
        html (a page beside the document), markdown, junit, text, or trace for Perfetto
    open:
        open the page in a browser
    out:
        write to this file
    index:
        write a page of all runs, with trends
    merge:
        make one run of the shards of a verification, and judge it
    json:
        write the run document of --merge to this file, too
    """
    if index and merge:
        raise UsageError("two-reports", "--index and --merge exclude each other", remedy="give one of them")
    if json is not None and not merge:
        raise UsageError("no-document", "--json says nothing without --merge", remedy="leave it out")
    if merge:
        if form is not None or open or out is not None:
            raise UsageError(
                "merge-alone", "--merge makes a run document", remedy="harness report latest shows it, in whatever form"
            )
        return doors.merge(runs, reports=reports, json_file=json)
    if index:
        if runs or form is not None:
            raise UsageError("index-alone", "--index shows all runs, as a page", remedy="leave out RUN and --as")
        return doors.index(reports, out=out, opens=open)
    return doors.report(runs, form=form or "html", out=out, reports=reports, opens=open)
