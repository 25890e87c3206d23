"""The documents and their site: every page is in it, no link leads nowhere, and nothing comes from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from harness.db.any_server import AnyServer
from tests.sql.shop import installed
from tests.test_readme import scrubbed
from tests.verify.command import harness

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SIZED = re.compile(r"^\| .*?\(`([\w/]+\.py)`\).*? \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in plain}


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(f"{page.name}: {link}")
    return found


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "tests" / "README.md"], ids=lambda page: page.stem)
def test_no_link_leads_nowhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, `two`\n[a](#one-two) [b](#two) [c](other.md) [d](page.md#one) [e](https://x.example/)")
    assert broken(page) == ["page.md: #two", "page.md: other.md", "page.md: page.md#one"]


def test_every_page_is_in_the_navigation_once() -> None:
    def pages(part: Any) -> list[str]:
        if isinstance(part, str):
            return [part]
        values = part.values() if isinstance(part, dict) else part
        return [page for each in values for page in pages(each)]

    assert sorted(pages(SETTINGS["nav"])) == [page.name for page in PAGES]
    assert [*(next(iter(part)) for part in SETTINGS["nav"])] == [
        "Home",
        "Tutorial",
        "How to",
        "Reference",
        "Explanation",
    ]


def test_nothing_is_asked_of_another_host() -> None:
    assert SETTINGS["theme"]["font"] is False
    assert not {"repo_url", "extra_css", "extra_javascript"} & {*SETTINGS}
    # Mermaid would be fetched.
    assert [page.name for page in PAGES if "```mermaid" in page.read_text(encoding="utf-8")] == []


def test_the_site_builds(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, ROOT / ".ci" / "site", tmp_path / "site"], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {page.name: page.read_text(encoding="utf-8") for page in (tmp_path / "site").glob("*.html")}
    assert {f"{page.stem}.html" for page in PAGES} <= {*pages}
    fetched = re.compile(
        r'<(?:script|img|iframe)[^>]+src="?https?:|<link[^>]+rel="?(?:stylesheet|preconnect)"?[^>]+https?:'
    )
    assert [name for name, text in pages.items() if fetched.search(text)] == []
    # The reference is made from docstrings, and what lies beside docs/ came along.
    assert "Runs programs of a connection at the same time" in pages["api-reference.html"]
    assert (tmp_path / "site" / "source" / "harness" / "stats" / "paired.py.txt").is_file()


def blocks(page: str, kind: str) -> list[tuple[str, str]]:
    """What is marked with ``<!-- kind: word -->`` on a page: the word, and the block after it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^<!-- {kind}: (\S+) -->\n```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_tutorial_does_as_it_says(tmp_path: Path) -> None:
    text = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    subject = tmp_path / "mine"
    (subject / "migrations").mkdir(parents=True)
    for source in sorted((ROOT / "sql" / "published").rglob("*")):
        if source.is_file():
            (subject / source.relative_to(ROOT / "sql" / "published")).write_bytes(source.read_bytes())
    ((file, line),) = blocks("tutorial.md", "first-line")
    _, _, rest = (tmp_path / file).read_text(encoding="utf-8").partition("\n")
    (tmp_path / file).write_text(line + rest, encoding="utf-8")
    # Everything that is shown with an exit code, in the order of the page; the repair comes before the last.
    shown = re.findall(r"^    harness ([^\n]+)\n\n<!-- exit: (\d) -->\n```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [code for _, code, _ in shown] == ["1", "1", "0"]
    lanes = re.findall(r"lane for each buyer:\n\n```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for arguments, code, said in shown:
        if code == "0":
            ((file, sql),) = blocks("tutorial.md", "file")
            (tmp_path / file).write_text(sql)
        ended = harness(*arguments.split(), cwd=tmp_path, env={"COLUMNS": "100"}, stdin="\n" * 99)
        assert ended.code == int(code), ended.out + ended.err
        for line in said.splitlines():
            assert scrubbed(line) in scrubbed(ended.out)
        if lanes and code == "1":
            assert scrubbed(lanes.pop()) in scrubbed(ended.out)
    assert not lanes


def test_the_queries_of_the_checklist_find_nothing_in_order_and_something_out_of_it(server: AnyServer) -> None:
    ((_, who),) = [(word, sql) for word, sql in blocks("deployment-checklist.md", "sql") if word == "nobody"]
    zeros = [sql for word, sql in blocks("deployment-checklist.md", "sql") if word == "zero"]
    assert len(zeros) == 2
    with installed(server, instrumented=False) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute(who.encode()).fetchall() == []
        assert [connection.execute(sql.encode()).fetchone() for sql in zeros] == [(0,), (0,)]
        connection.execute("GRANT EXECUTE ON FUNCTION mark_leads_sold_bulk(uuid[]) TO anon")
        assert connection.execute(who.encode()).fetchall() == [("mark_leads_sold_bulk(uuid[])", "anon")]


def test_the_sizes_in_the_readme_of_the_tests_are_those_of_the_tests() -> None:
    rows = SIZED.findall((ROOT / "tests" / "README.md").read_text(encoding="utf-8"))
    told = {file: (usual.replace(",", ""), nightly.replace(",", "")) for file, usual, nightly in rows}
    sized = re.compile(r"\bsized\(([\d_]+), ([\d_]+)\)")
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for usual, nightly in sized.findall(path.read_text(encoding="utf-8")):
            if path.name != "test_sizes.py":
                name = path.relative_to(ROOT / "tests").as_posix()
                found[name] = (usual.replace("_", ""), nightly.replace("_", ""))
    assert told == found


def test_the_readme_of_the_tests_has_every_folder() -> None:
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/*.py")}
    assert {*re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)} == folders - {"__pycache__"}
