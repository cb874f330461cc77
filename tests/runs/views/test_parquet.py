"""The first rows of Parquet files: what is shown, and that a bad file costs nothing but a sentence."""

import random
from pathlib import Path

import duckdb
import pytest
from django.urls import reverse

from runs.actions import recording
from runs.status import RunStatus
from runs.views import parquet
from tests import factories

pytestmark = pytest.mark.process

FIRST = [f"row {number}" for number in range(200)]


@pytest.fixture
def written(tmp_path):
    """Write the rows of a query as a Parquet file and return its path."""

    def write(query: str) -> Path:
        path = tmp_path / "table.parquet"
        duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        return path

    return write


def read(path: Path) -> parquet.Table:
    with path.open("rb") as handle:
        return parquet.first_rows(handle)


def refusal(path: Path) -> str:
    with pytest.raises(parquet.Unreadable) as refused:
        read(path)
    return str(refused.value)


def test_the_first_rows_and_the_size_of_the_whole(written):
    table = read(written("SELECT range AS id, 'row ' || range AS name, NULL::int AS nothing FROM range(100000)"))

    assert table.header == ["id", "name", "nothing"]
    assert [row[1] for row in table.rows] == FIRST
    assert table.rows[7] == ["7", "row 7", None]
    assert (table.row_count, table.column_count) == (100_000, 3)


def test_every_kind_of_cell_is_a_text(written):
    table = read(
        written("SELECT [1, 2] AS a, {'x': 1.5} AS b, DATE '2026-11-28' AS c, 'nan'::double AS d, '\\xAA'::blob AS e")
    )

    assert table.rows == [["[1, 2]", "{'x': 1.5}", "2026-11-28", "nan", "\\xAA"]]


def test_wide_tables_long_cells_and_odd_names_are_cut(written):
    columns = ", ".join(f'{number} AS "c{number}"' for number in range(60))

    table = read(written(f'SELECT repeat(\'x\', 9999) AS "a""b\'; DROP", {columns}'))

    assert table.header[0] == "a\"b'; DROP"
    assert (len(table.header), len(table.rows[0]), table.column_count) == (50, 50, 61)
    assert len(table.rows[0][0]) == 500


def test_a_value_that_takes_all_memory_is_refused(written):
    path = written("SELECT repeat('x', 400000000) AS huge")

    assert path.stat().st_size < 100_000
    assert "Out of Memory" in refusal(path)


@pytest.mark.parametrize("seed", range(3))
def test_a_broken_file_is_a_sentence(written, seed):
    path = written("SELECT range AS id FROM range(1000)")
    data = bytearray(path.read_bytes())
    chance = random.Random(seed)
    for _ in range(60):
        data[-chance.randrange(9, 300)] = chance.randrange(256)
    path.write_bytes(data)

    assert refusal(path)


def test_what_is_no_parquet_is_a_sentence(tmp_path):
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("a,b\n" * 100)

    assert refusal(tmp_path / "empty.parquet")
    assert refusal(tmp_path / "text.parquet")


@pytest.mark.parametrize(
    ("reader", "sentence"),
    [
        ("import time; time.sleep(60)", "it takes too long"),
        ("import os; os.abort()", "its reader stopped"),
        ("import sys; sys.exit('no')", "its reader stopped"),
    ],
)
def test_a_reader_that_hangs_or_dies_is_a_sentence(written, tmp_path, monkeypatch, reader, sentence):
    (tmp_path / "reader.py").write_text(reader)
    monkeypatch.setattr(parquet, "_READER", tmp_path / "reader.py")
    if "sleep" in reader:  # the others may take their time to start
        monkeypatch.setattr(parquet, "_SECONDS", 0.5)

    assert refusal(written("SELECT 1 AS a")) == sentence


def test_the_reader_knows_nothing_of_the_site(written, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_SECRET_KEY", "s3cr3t")
    (tmp_path / "reader.py").write_text(
        "import json, os, sys\n"
        "json.dump({'header': [*os.environ], 'rows': [], 'column_count': len(sys.argv), 'row_count': 0}, sys.stdout)"
    )
    monkeypatch.setattr(parquet, "_READER", tmp_path / "reader.py")

    known = set(read(written("SELECT 1 AS a")).header)

    assert not [name for name in known if name.startswith(("STUDIO", "DJANGO", "DATABASE"))]


def test_without_the_reader_the_page_says_what_is_missing(written, monkeypatch, tmp_path):
    hidden = tmp_path / "reader.py"
    hidden.write_text("import sys; sys.modules['duckdb'] = None\n" + parquet._READER.read_text())
    monkeypatch.setattr(parquet, "_READER", hidden)

    assert "the package duckdb" in refusal(written("SELECT 1 AS a"))


def test_the_page_shows_the_table(client_for, team_mate, experiment, written, tmp_path, settings, noon):
    settings.STUDIO_HOME = tmp_path
    run = factories.run(experiment, by=team_mate, status=RunStatus.COMPLETED)
    data = written("SELECT range AS id, '<b>' AS name FROM range(1000)").read_bytes()
    recording.save_artifact(run=run, path="outputs/table.parquet", chunks=[data], at=noon)
    recording.save_artifact(run=run, path="outputs/broken.parquet", chunks=[b"PAR1"], at=noon)
    client, address = client_for(team_mate), reverse("run_outputs", args=[run.run_id])

    page = client.get(address, {"path": "outputs/table.parquet"}).content.decode()
    broken = client.get(address, {"path": "outputs/broken.parquet"})

    assert "<td>199</td><td>&lt;b&gt;</td>" in page
    assert "200 of 1,000 rows and 2 of 2 columns are shown." in page
    assert broken.status_code == 200
    assert "This table cannot be shown:" in broken.content.decode()
