"""Trees that open on demand, files as tabs, zips, notebooks, pages without rights, pictures, JSON, monitoring."""

import base64
import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs import storage
from runs.actions import recording
from runs.models import Artifact, PythonEnvironment, SystemMetrics, Tag
from runs.status import RunStatus
from runs.views import json_tree, notebooks, run_table, run_tree
from runs.views.run_tree import Look
from tests import factories

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(experiment, team_mate, local):
    return factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.COMPLETED)


@pytest.fixture
def client(client_for, team_mate):
    return client_for(team_mate)


def keep(run, path, data=b"x"):
    recording.save_artifact(run=run, path=path, chunks=[data], at=factories.NOON)


def get(client, page, run, /, **query):
    return client.get(reverse(page, args=[run.run_id]), query)


def many(count):
    return [(f"outputs/part{n % 10}/file{n:05}.bin", 10) for n in range(count)]


def test_a_great_tree_shows_folders_with_their_sums_and_opens_one_on_demand():
    files = sorted(many(10_000))

    root = run_tree.build(files, chosen="")
    opened = run_tree.build(files, chosen="", look=Look(opened=frozenset({"outputs", "outputs/part3"})))

    outputs = root.folders["outputs"]
    assert (outputs.is_open, outputs.file_count, outputs.size_bytes) == (False, 10_000, 100_000)
    part = opened.folders["outputs"].folders["part3"]
    assert len(part.files) == run_tree.SHOWN_ENTRIES
    assert part.hidden_count == 800
    assert not opened.folders["outputs"].folders["part4"].files


def test_the_chosen_file_is_always_in_the_tree_and_a_search_finds_paths():
    files = sorted(many(10_000))

    root = run_tree.build(files, chosen="outputs/part9/file09999.bin")
    found = run_tree.build(files, chosen="", look=Look(find="FILE0012"))

    assert root.folders["outputs"].folders["part9"].files[-1][0] == "file09999.bin"
    assert sum(len(folder.files) for folder in found.folders["outputs"].folders.values()) == 10


def test_a_tree_of_ten_thousand_files_takes_no_more_queries_and_little_markup(client, run):
    storage.append_log(run.pk, "user_logs/std_log.txt", b"done\n", offset=0)
    Artifact.objects.bulk_create(
        Artifact(run=run, path=path, size_bytes=size, digest="0" * 64, created_at=factories.NOON)
        for path, size in many(10_000)
    )

    with CaptureQueriesContext(connection) as queries:
        answer = get(client, "run_outputs", run)

    assert len(queries) < 20
    assert len(answer.content) < 40_000
    assert answer.context["tree"].folders["outputs"].file_count == 10_000


def test_files_stay_open_as_tabs_and_close(client, run):
    for name in ("a.txt", "b.txt"):
        keep(run, f"outputs/{name}")

    both = get(client, "run_outputs", run, path="outputs/b.txt", file="outputs/a.txt")
    first, second = both.context["tabs_of_files"]
    closed = client.get(reverse("run_outputs", args=[run.run_id]) + second.close_url)

    assert [first.path, second.path] == ["outputs/a.txt", "outputs/b.txt"]
    assert b'aria-label="Close outputs/b.txt"' in both.content
    assert closed.context["path"] == "outputs/a.txt"
    assert [tab.path for tab in closed.context["tabs_of_files"]] == ["outputs/a.txt"]


def test_a_zip_holds_the_files_of_a_folder_and_is_made_while_it_is_sent(client, run):
    keep(run, "outputs/a.bin", b"a" * 3_000_000)
    keep(run, "outputs/deep/b.txt", b"b")
    storage.append_log(run.pk, "user_logs/std_log.txt", b"hello\n", offset=0)

    every = get(client, "run_zip", run)
    one = get(client, "run_zip", run, folder="outputs/deep")

    parts = list(every.streaming_content)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(parts)))
    assert len(parts) > 10
    assert archive.testzip() is None
    assert archive.read("outputs/a.bin") == b"a" * 3_000_000
    assert archive.read("user_logs/std_log.txt") == b"hello\n"
    assert zipfile.ZipFile(io.BytesIO(one.getvalue())).namelist() == ["outputs/deep/b.txt"]
    assert one["Content-Disposition"] == 'attachment; filename="run-1-outputs-deep.zip"'


@pytest.mark.parametrize(("folder", "status"), [("nowhere", 404), ("../..", 400), ("/etc", 400)])
def test_a_zip_of_no_folder_of_the_run_is_refused(client, run, folder, status):
    assert get(client, "run_zip", run, folder=folder).status_code == status


@pytest.mark.parametrize("name", ["run_zip", "run_frame", "run_images", "run_monitoring", "run_curves"])
def test_a_stranger_finds_none_of_it(client_for, stranger, run, name):
    keep(run, "outputs/plot.html")

    assert get(client_for(stranger), name, run, path="outputs/plot.html").status_code == 404


def test_a_page_is_shown_in_a_frame_without_rights(client, run):
    keep(run, "outputs/plot.html", b"<script>alert(1)</script>")

    source = get(client, "run_outputs", run, path="outputs/plot.html")
    framed = get(client, "run_outputs", run, path="outputs/plot.html", **{"as": "page"})
    inside = get(client, "run_frame", run, path="outputs/plot.html")

    assert b"<iframe" not in source.content
    assert b'sandbox="allow-scripts"' in framed.content
    assert b"<script>alert" not in framed.content
    policy = inside["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert inside["X-Content-Type-Options"] == "nosniff"
    assert inside["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("path", ["outputs/data.txt", "outputs/none.html", "user_logs/std_log.txt"])
def test_only_pages_and_drawings_are_framed(client, run, path):
    keep(run, "outputs/data.txt")
    storage.append_log(run.pk, "user_logs/std_log.txt", b"x", offset=0)

    assert get(client, "run_frame", run, path=path).status_code == 404


def notebook():
    picture = base64.b64encode(PNG).decode()
    outputs = [
        {"output_type": "stream", "text": ["<b>printed</b>\n"]},
        {"output_type": "display_data", "data": {"image/png": [picture[:10], picture[10:]], "text/html": "<p>"}},
        {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>"}},
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(b"<svg>").decode()}},
        {"output_type": "error", "ename": "ValueError", "evalue": "no"},
    ]
    cells = [
        {"cell_type": "markdown", "source": "# Title\n<script>alert(1)</script>"},
        {"cell_type": "code", "execution_count": 3, "source": ["import math\n", "math.pi"], "outputs": outputs},
    ]
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


def test_a_notebook_is_words_code_and_pictures_and_nothing_that_runs(client, run):
    keep(run, "outputs/look.ipynb", notebook())

    answer = get(client, "run_outputs", run, path="outputs/look.ipynb")

    words, code = answer.context["preview"].cells
    assert words.kind == "markdown"
    assert [output.kind for output in code.outputs] == ["text", "picture", "left_out", "left_out", "error"]
    assert b"<script>alert" not in answer.content
    assert b"<b>printed" not in answer.content
    assert b'src="data:image/png;base64,' in answer.content


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [1, null]}', b"[" * 100_000])
def test_what_is_no_notebook_has_no_cells(data):
    assert notebooks.cells_of(data) == []


def test_pictures_are_shown_by_series_the_latest_first(client, run):
    points = [
        recording.Point(name, step=step, text=f"images/{name}_{step}.png", kind="image")
        for name in ("masks", "samples")
        for step in range(20)
    ]
    recording.log_metrics(run=run, points=points, at=factories.NOON)

    with CaptureQueriesContext(connection) as queries:
        answer = get(client, "run_images", run)
    one = get(client, "run_images", run, name="masks")

    assert len(queries) < 16
    assert [(gallery.metric.name, len(gallery.images)) for gallery in answer.context["galleries"]] == [
        ("masks", 12),
        ("samples", 12),
    ]
    assert [point.step for point in one.context["galleries"][0].images] == list(range(19, -1, -1))
    assert get(client, "run_images", run, name="masks", before="0_0").status_code == 200
    assert get(client, "run_images", run, name="masks", before="x").status_code == 200


def test_raw_json_folds_and_a_search_opens_what_holds_the_words(client, run):
    Tag.objects.create(run=run, key="quality", value="high")

    plain = get(client, "run_raw", run)
    found = get(client, "run_raw", run, find="TRAIN.PY")
    text = get(client, "run_raw", run, view="text")

    assert b"<details" in plain.content
    assert found.context["found_count"] == 1
    assert b"<mark>" in found.content
    assert text.context["code"] is not None


def test_a_search_in_json_opens_every_branch_above_it():
    root, count = json_tree.build({"a": {"b": [{"c": "needle"}]}, "d": {"e": 1}}, find="needle")

    a, d = root.children
    assert (count, a.is_open, a.children[0].is_open, d.is_open) == (1, True, True, False)


def test_monitoring_shows_what_was_measured_and_the_packages(client, run):
    environment = PythonEnvironment.objects.create(digest="d", python_version="3.11.2", packages=[["numpy", "2.1"]])
    attempt = factories.attempt(run, python_environment=environment)
    columns = {"cpu": [[50.0, 90.0], None, [70.0, 99.0]], "gpu0": [[80.0, 99.0]], "gpu0_memory": [[2.0**30, 2.0**30]]}
    machine = {"cores": 8, "memory_bytes": 2**34, "gpus": ["A100"]}
    SystemMetrics.objects.create(
        attempt=attempt,
        updated_at=factories.NOON,
        data={"interval": 2, "began": 0, "columns": columns, "machine": machine},
    )

    answer = get(client, "run_monitoring", run)

    assert [item.title for item in answer.context["monitored"]] == ["Processor", "GPU 0: A100", "GPU 0: memory"]
    assert json.loads(answer.context["monitored"][0].document)["series"][0]["points"] == [[0, 50.0], [4, 70.0]]
    assert "Python 3.11.2 with 1 packages" in answer.content.decode()
    assert get(client, "run_monitoring", run, attempt="7").status_code == 404


def test_what_a_client_measured_of_its_machine_is_shown_with_the_machine_and_not_with_the_metrics(client, run):
    names = ("loss", "system/cpu_utilization_percentage", "system/node_1/disk_usage_megabytes")
    points = [
        recording.Point(name, step=step, at=factories.NOON + timedelta(seconds=10 * step), value=step + 0.5)
        for name in names
        for step in range(2)
    ]
    recording.log_metrics(run=run, points=points, at=factories.NOON)

    monitoring = get(client, "run_monitoring", run)
    metrics = get(client, "run_metrics", run)
    found = get(client, "run_metrics", run, find="CPU")

    shown = monitoring.context["reported"]
    assert [item.title for item in shown] == ["cpu utilization percentage", "node 1/disk usage megabytes"]
    assert [y for _, y in json.loads(shown[0].document)["series"][0]["points"]] == [0.5, 1.5]
    assert "Nothing was measured" not in monitoring.content.decode()
    assert [metric.name for metric, _ in metrics.context["series"]] == ["loss"]
    assert [metric.name for metric, _ in get(client, "run_detail", run).context["metrics"]] == ["loss"]
    assert run_table.metric_names(run.experiment) == ["loss"]
    assert [metric.name for metric, _ in found.context["series"]] == ["system/cpu_utilization_percentage"]
