"""What a newcomer's change that drops one FOR UPDATE comes to: the summary alone says what is wrong, and where."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from harness.cli import app
from harness.db.any_server import AnyServer
from harness.gate.part import VERIFY
from harness.gate.revision import changed, merge_base
from harness.marketplace.scenario import load_scenarios
from harness.marketplace.subject import load_subject
from harness.report.gate_markdown import again, gate_markdown
from harness.report.workflow_commands import errors_on_lines
from harness.resources import bundled
from harness.verify.orders import Limits
from harness.verify.run import Options, verify
from tests.gate.made import gate_of, ran
from tests.gate.test_revision import git

RACE = "same-purchase-completed-twice-at-once"
LOCK = " FOR NO KEY UPDATE"


def test_it_is_found_and_told(server: AnyServer, tmp_path: Path) -> None:
    folder = tmp_path / "sql" / "mine"
    shutil.copytree(bundled("sql") / "reference", folder)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "as it was")
    path = next(folder.glob("migrations/*_fix_payment_race_conditions.sql"))
    lines = path.read_text().splitlines(keepends=True)
    # The purchase's lock in complete_credit_lead_purchase.
    (number,) = [at for at, line in enumerate(lines) if "p.workspace_id = p_workspace_id" in line and LOCK in line]
    lines[number] = lines[number].replace(LOCK, "")
    path.write_text("".join(lines))

    options = Options(
        subject=load_subject(str(folder), bundled("sql")),
        scenarios=[load_scenarios(bundled("scenarios"))[RACE]],
        limits=Limits(schedules=20),
        schedule_files=tmp_path / "schedules",
        pinned=False,
        replays=3,
        all_scenarios=False,
    )
    found = json.loads(json.dumps(verify(server, options, lambda *_: None, lambda: None)))
    document = gate_of(
        ran(VERIFY, found),
        subject={"name": "mine", "digest": found["subject"]["digest"], "folder": "./sql/mine"},
        files={path.name: str(path)},
        changed=changed(merge_base(None, folder), [folder], folder),
    )
    summary = gate_markdown(document)
    shown = next(each["counterexample"] for each in found["properties"] if each["counterexample"])
    assert document["exit_code"] == 1
    assert "### Broken: " in summary
    place = f"Look at `{path}:{number + 1}` in `complete_credit_lead_purchase`, which this change has touched"
    first = next(line for line in summary.splitlines() if line.startswith("- **"))
    assert f"{place}. Replay it: `harness replay {shown['file']}" in first
    assert f"\n{place}:\n" in summary
    assert f"-{lines[number].rstrip().removesuffix(';')}{LOCK};\n+{lines[number]}" in summary
    assert f"::error file={path},line={number + 1}," in errors_on_lines(document)[0]
    command = again(document, shown)
    assert f"\n{command}\n" in summary
    assert command.startswith(f"harness explore {RACE} --subject ./sql/mine --preemptions ")
    app.parse_args(command.split()[1:], exit_on_error=False, print_error=False)
    assert f"harness replay {shown['file']}" in summary
    assert Path(shown["file"]).is_file()
