"""Samples: what a load process writes down is what is read back, also when it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.sample import Sample, SampleFile, SampleWriter, read_samples, sample_of
from harness.words.errors import UsageError
from harness.words.history import Status

SAMPLE = Sample("c1", "buy", 1.0, 1.25, 2.0, "ok", answer={"balance": "87.50"}, leads=("l1", "l2"), purchase="p")

samples = st.builds(
    Sample,
    client=st.text(),
    operation=st.sampled_from(["buy", "deliver"]),
    intended=st.floats(allow_nan=False),
    invoked=st.floats(allow_nan=False),
    returned=st.none() | st.floats(allow_nan=False),
    status=st.sampled_from([status.value for status in Status]),
    code=st.text(),
    http=st.none() | st.integers(100, 599),
    answer=st.none() | st.dictionaries(st.text(), st.text() | st.booleans(), min_size=1),
    workspace=st.none() | st.text(min_size=1),
    leads=st.none() | st.lists(st.text(), min_size=1).map(tuple),
    purchase=st.none() | st.text(min_size=1),
)


@given(samples)
def test_a_line_is_read_back(sample: Sample) -> None:
    line = sample.line()
    assert line.count(b"\n") == 1
    assert sample_of(json.loads(line)) == sample


def test_a_file_is_read_back_and_known_to_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    with SampleWriter(path) as writer:
        for number in range(1000):
            writer.write(SAMPLE._replace(client=str(number)))
    file = SampleFile(path)
    assert [sample.client for sample in file] == [str(number) for number in range(1000)]
    assert file.whole
    assert sum(1 for _ in read_samples([path, path])) == 2000


def test_a_file_is_never_written_twice(tmp_path: Path) -> None:
    SampleWriter(tmp_path / "1.jsonl").close()
    with pytest.raises(FileExistsError):
        SampleWriter(tmp_path / "1.jsonl")


def test_a_killed_process_loses_little(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom harness.load.sample import Sample, SampleWriter\n"
        "writer = SampleWriter(Path(sys.argv[1]))\n"
        "for number in range(10**9):\n"
        "    writer.write(Sample(str(number), 'buy', 0.0, 0.0, None, 'unknown'))\n"
        "    if number == 2000: print('go', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    file = SampleFile(path)
    written = [int(sample.client) for sample in file]
    # 2000 lines of some 90 bytes are more than what is kept back.
    assert written == list(range(len(written)))
    assert len(written) > 1000
    assert not file.whole


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (b"{", "2: "),
        (b"[]", "2: "),
        (b'{"client":"c"}', "missing"),
        (SAMPLE.line().replace(b'"ok"', b'"fine"').strip(), "status 'fine'"),
        (SAMPLE.line().replace(b"1.25", b'"noon"').strip(), "invoked 'noon'"),
        (SAMPLE.line().replace(b"purchase", b"sale").strip(), "sale"),
        (b'{"samples":7}', "counts 7 samples, and 1 are there"),
        (b'{"samples":1}\n' + SAMPLE.line().strip(), "after the last"),
    ],
)
def test_a_broken_line_is_named(bad: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    path.write_bytes(SAMPLE.line() + bad + b"\n")
    with pytest.raises(UsageError) as error:
        list(SampleFile(path))
    assert error.value.slug == "bad-sample"
    assert f"{path}:" in error.value.seen
    assert what in error.value.seen


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "1.jsonl"
    path.write_bytes(SAMPLE.line() + SAMPLE.line()[:-5])
    file = SampleFile(path)
    assert list(file) == [SAMPLE]
    assert not file.whole
