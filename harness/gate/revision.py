"""What a change is compared with: the commit that it began at, as git knows it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.words.errors import CouldNotRun, UsageError

USUAL = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
"""Where changes usually go, the first that there is; for who does not name one."""


def merge_base(asked: str | None, directory: Path) -> str:
    """The commit at which the change in ``directory`` left ``asked``, or the first of ``USUAL`` that there is.

    ``asked`` may be a branch that only ``origin`` has.
    Raises ``UsageError`` for a revision that git does not know, and ``CouldNotRun`` where there is no such commit here.
    """
    if _git(directory, "rev-parse", "--git-dir") is None:
        raise CouldNotRun(
            "no-history",
            f"{directory} is in no git repository: {_said(directory, 'rev-parse', '--git-dir')}",
            expected="a change to compare with what was there before",
            remedy="name the subject by its folder in a checkout (--subject ./FOLDER), or leave the comparison out: "
            "--without compare",
        )
    # A clone that CI makes knows the branches of where it came from, and has none of its own.
    named = (asked, f"origin/{asked}") if asked else USUAL
    target = next((each for each in named if _git(directory, "rev-parse", "--verify", "-q", each)), asked)
    base = None if target is None else _git(directory, "merge-base", "HEAD", target)
    if base is not None:
        return base
    shallow = _git(directory, "rev-parse", "--is-shallow-repository") == "true"
    if asked and not shallow and _git(directory, "rev-parse", "--verify", "-q", f"{asked}^{{commit}}") is None:
        raise UsageError("no-revision", f"git knows no revision {asked!r}", expected="--base with a branch or a commit")
    where = f"HEAD and {target or ' or '.join(USUAL)}"
    raise CouldNotRun(
        "no-base",
        f"there is no merge base of {where} here" + (": the clone is shallow" if shallow else ""),
        expected="the commit that the change began at",
        remedy="fetch the whole history (fetch-depth: 0 of actions/checkout, git fetch --unshallow), or name --base",
    )


def changed(base: str, paths: Iterable[Path], directory: Path) -> list[dict[str, Any]]:
    """The files in ``paths`` that are not what they were at ``base``, each with what is different.

    ``lines`` are those that are new, or before which some are gone; ``diff`` is git's text, without context and cut at
    ``DIFF_LINES_MAX``. A file that git does not know yet counts, with all its lines. Raises ``CouldNotRun``.
    """
    named = [str(path) for path in paths]
    root = Path(_required(directory, "rev-parse", "--show-toplevel"))
    # Names come with -z: in the text of a diff they are as the settings of whoever runs this will have them.
    touched = _names(_required(directory, "diff", "--name-only", "--no-relative", *_PLAIN, "-z", base, "--", *named))
    new = _names(_required(directory, "ls-files", "--full-name", "--others", "--exclude-standard", "-z", "--", *named))
    files = [_changed_file(root, name, base) for name in touched]
    return files + [{"file": str(root / name), "lines": _all_lines(root / name), "diff": ""} for name in new]


def folder_at(base: str, folder: Path) -> str | None:
    """Where the folder of a subject was at ``base``, from the root of the repository; None if it was not there."""
    below = _required(folder, "rev-parse", "--show-prefix").rstrip("/")
    return below if _git(folder, "cat-file", "-e", f"{base}:{below}/subject.toml") is not None else None


DIFF_LINES_MAX = 60
"""Of one file: a summary is to be read."""


_PLAIN = ("--no-color", "--no-ext-diff", "--no-renames")
"""A diff as git itself makes it, whatever is configured."""


def _names(text: str) -> list[str]:
    return [name for name in text.split("\0") if name]


def _all_lines(path: Path) -> list[int]:
    return [*range(1, len(path.read_bytes().splitlines()) + 1)]


def _changed_file(root: Path, name: str, base: str) -> dict[str, Any]:
    text = _required(root, "--literal-pathspecs", "diff", *_PLAIN, "-U0", base, "--", name)
    lines: list[int] = []
    for first, count in re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", text, re.MULTILINE):
        lines += range(int(first), int(first) + max(1, int(count or 1)))
    begin = re.search(r"^@@ ", text, re.MULTILINE)
    hunks = text[begin.start() :].splitlines() if begin else []
    more = len(hunks) - DIFF_LINES_MAX
    diff = "\n".join([*hunks[:DIFF_LINES_MAX], *([f"... {more} more lines"] if more > 0 else [])])
    return {"file": str(root / name), "lines": lines, "diff": diff}


def _required(directory: Path, *words: str) -> str:
    told = _git(directory, *words)
    if told is None:
        raise CouldNotRun(
            "no-history", f"git {' '.join(words[:2])} failed: {_said(directory, *words)}", remedy="see git's message"
        )
    return told


def _git(directory: Path, *words: str) -> str | None:
    """What git says, without the line break; None where it fails, or is not there."""
    done = _run(directory, words)
    return done.stdout.removesuffix("\n") if done is not None and done.returncode == 0 else None


def _said(directory: Path, *words: str) -> str:
    done = _run(directory, words)
    lines = [] if done is None else done.stderr.strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else "there is no git"


def _run(directory: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            ["git", *words], cwd=directory, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError:
        return None
