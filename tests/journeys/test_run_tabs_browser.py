"""The tabs of a run in a real browser: charts that zoom, pictures, files and code, with and without scripts."""

import base64
import json
import math
import struct
import zlib
from datetime import timedelta
from io import BytesIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import expect

from runs.actions import recording, snapshots
from runs.models import PythonEnvironment, SystemMetrics
from runs.status import RunStatus
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(workspace, team_mate, local):
    """A run with something of every kind on every tab."""
    code = b'"""Train."""\n\nimport math\n\n\ndef train(alpha: float) -> float:\n    return math.sin(alpha)  # loss\n'
    snapshot = snapshots.store_files(
        workspace=workspace, files=[("train.py", BytesIO(code)), ("src/model.py", BytesIO(code))], at=factories.NOON
    )
    run = factories.run(
        factories.experiment(workspace, "diabetes"),
        by=team_mate,
        compute_target=local,
        snapshot=snapshot,
        status=RunStatus.COMPLETED,
        started_at=factories.NOON,
    )
    packages = [["numpy", "2.1.0"], ["scikit-learn", "1.5.2"]]
    environment = PythonEnvironment.objects.create(digest="d", python_version="3.11.2", packages=packages)
    attempt = factories.attempt(run, ended_at=factories.NOON, python_environment=environment)
    monitor(attempt)
    recording.log_metrics(run=run, points=list(points()), at=factories.NOON)
    for path, data in FILES.items():
        recording.save_artifact(run=run, path=path, chunks=[data], at=factories.NOON)
    return run


def monitor(attempt):
    """Keep what an hour of watching an attempt kept."""
    SystemMetrics.objects.create(
        attempt=attempt,
        updated_at=factories.NOON,
        data={
            "interval": 10.0,
            "began": factories.NOON.timestamp(),
            "machine": {"cores": 4, "memory_bytes": 16 * 2**30, "gpus": ["A100"]},
            "columns": {
                "cpu": [[90 + 40 * math.sin(n / 9), 150 + 40 * math.sin(n / 9)] for n in range(360)],
                "memory": [[2**30 + n * 2**20, 2**30 + n * 2**20] for n in range(360)],
                "disk_read": [[2**20 * (n % 60 == 0), 2**21 * (n % 60 == 0)] for n in range(360)],
                "gpu0": [[80 + 10 * math.sin(n), 99] for n in range(360)],
            },
        },
    )


def points():
    """Yield points of every kind."""
    for step in range(6_000):
        at = factories.NOON + timedelta(seconds=step)
        value = float("nan") if step == 2_500 else 2 * math.exp(-step / 900) + 0.08 * math.sin(step * 7.3) ** 2 + 0.02
        yield recording.Point("loss", step=step, at=at, value=value)
    for step in range(60):
        at = factories.NOON + timedelta(minutes=step)
        yield recording.Point(
            "accuracy", step=step, at=at, value=1 - 0.9 * math.exp(-step / 15) + 0.03 * math.sin(step)
        )
        yield recording.Point("val_accuracy", step=step, at=at, value=1 - 0.95 * math.exp(-step / 18))
    yield recording.Point("auc", value=0.91)
    for x in range(20):
        yield recording.Point("sine", text=recording.row_text({"angle": x / 3, "value": math.sin(x / 3)}), kind="row")
    for name, age in (("ann", 33), ("bo", 41)):
        yield recording.Point("people", text=recording.row_text({"name": name, "age": age, "city": "Ulm"}), kind="row")
    yield recording.Point("note", text="converged", kind="text")
    for schema, data in DOCUMENTS.items():
        text = json.dumps({"schema_type": schema, "schema_version": "1.0.0", "data": data})
        yield recording.Point(schema, text=text, kind="document")
    for step in range(6):
        yield recording.Point("samples", step=step * 10, text=f"images/samples_{step}.png", kind="image")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_all_tabs_are_accessible_and_fit(page_for, team_mate, run, color_scheme, width, shoot):
    page = page_for(team_mate, color_scheme=color_scheme, viewport={"width": width, "height": 900})
    faults = []

    for name, address in addresses(run).items():
        page.goto(address)
        page.wait_for_load_state("networkidle")
        shoot(page, f"tab-{name}-{color_scheme}-{width}")
        faults += [
            (name, found["id"], node["html"][:200])
            for found in Axe().run(page).response["violations"]
            for node in found["nodes"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append((name, "is too wide", width))

    assert faults == []


def test_dragging_over_a_chart_asks_the_server_for_that_part(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address_of("run_metrics", run) + "?name=loss")
    count = page.locator(".plot-count")
    count.get_by_text("of 6,000 points").wait_for()
    over = page.locator(".plot .u-over").bounding_box()

    page.mouse.move(over["x"] + over["width"] * 0.5, over["y"] + 50)
    page.mouse.down()
    page.mouse.move(over["x"] + over["width"] * 0.6, over["y"] + 60, steps=4)
    page.mouse.up()
    count.get_by_text("of 6,000 points").wait_for(state="detached")

    drawn, total = (int(part.replace(",", "")) for part in count.text_content().split(" points")[0].split(" of "))
    assert drawn == total
    assert 550 < total < 650
    page.locator(".plot .u-over").dblclick()
    count.get_by_text("of 6,000 points").wait_for()


def test_metrics_without_scripts_are_chosen_by_a_form(page_for, team_mate, run):
    page = page_for(team_mate, java_script_enabled=False)
    page.goto(address_of("run_metrics", run))

    page.get_by_role("checkbox", name="val_accuracy").uncheck()
    page.get_by_label("One chart").check()
    page.locator("#metric-x").select_option("relative")
    page.locator(".metric-show").click()

    expect(page.locator("#together svg path.line")).to_have_count(3)
    expect(page.locator("#metric-x")).to_have_value("relative")
    assert "together=1" in page.url


def test_without_scripts_a_wide_chart_scrolls_on_a_phone_and_can_be_read(page_for, team_mate, run):
    page = page_for(team_mate, viewport={"width": 360, "height": 740}, java_script_enabled=False)
    page.goto(address_of("run_metrics", run) + "?name=accuracy&name=loss&together=1")

    label = page.locator(".plot-figure text").first.bounding_box()
    figure = page.locator(".plot-figure").first.bounding_box()

    assert label["height"] >= 10
    assert figure["width"] <= 360


def test_a_page_that_a_run_wrote_has_no_rights(page_for, team_mate, run):
    page = page_for(team_mate)
    page.goto(address_of("run_outputs", run) + "?path=outputs/plot.html")

    page.get_by_role("link", name="Show as a page").click()

    expect(page.frame_locator(".page-frame").locator("#p")).to_have_text("has no rights")
    assert "/outputs/" in page.url


def test_folders_open_on_demand_and_files_stay_as_tabs(page_for, team_mate, run):
    for number in range(150):
        recording.save_artifact(run=run, path=f"outputs/many/{number:03}.txt", chunks=[b"x"], at=factories.NOON)
    page = page_for(team_mate)
    page.goto(address_of("run_outputs", run) + "?path=outputs/notes.md")
    tree = page.get_by_role("navigation", name="Files", exact=True)

    tree.get_by_role("link", name="many").click()
    tree.get_by_role("link", name="149.txt").click()

    expect(page.get_by_role("navigation", name="Open files").locator(".file-tab")).to_have_count(2)
    page.get_by_role("link", name="Close outputs/many/149.txt").click()
    expect(page.get_by_role("heading", name="outputs/notes.md")).to_be_visible()


def address_of(name, run):
    return reverse(name, args=[run.run_id])


def addresses(run):
    """What is looked at, by a name for its picture."""
    metrics, outputs = address_of("run_metrics", run), address_of("run_outputs", run)
    return {
        "metrics": metrics,
        "metrics-together": f"{metrics}?name=accuracy&name=val_accuracy&name=loss&together=1&smooth=0.8&x=relative",
        "metrics-table": f"{metrics}?view=table&name=loss&name=accuracy&log=1",
        "images": address_of("run_images", run),
        "outputs": f"{outputs}?path=outputs/scores.csv&file=outputs/notes.md&file=outputs/look.ipynb",
        "outputs-notebook": f"{outputs}?path=outputs/look.ipynb",
        "outputs-page": f"{outputs}?path=outputs/plot.html&as=page",
        "snapshot": f"{address_of('run_snapshot', run)}?path=train.py&file=src/model.py",
        "raw": f"{address_of('run_raw', run)}?find=train",
        "monitoring": address_of("run_monitoring", run),
    }


def picture(shade):
    """Return the bytes of a small picture, a gradient."""
    width = 64
    rows = b"".join(
        b"\0" + b"".join(bytes([(x * 4) % 256, (y * 4) % 256, shade]) for x in range(width)) for y in range(width)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": "# Look at the data\nA **first** look."},
        {
            "cell_type": "code",
            "execution_count": 1,
            "source": "import math\n\nprint(math.pi)",
            "outputs": [
                {"output_type": "stream", "text": "3.141592653589793\n"},
                {"output_type": "display_data", "data": {"image/png": base64.b64encode(picture(90)).decode()}},
                {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>"}},
            ],
        },
    ]
}
PAGE = b"""<!doctype html><title>Plot</title><p id=p>before</p><script>
try { localStorage.x = 1; p.textContent = "has rights" } catch { p.textContent = "has no rights" }
try { top.location = "/" } catch {}
</script>"""
FILES = {f"images/samples_{step}.png": picture(step * 40) for step in range(6)} | {
    "outputs/scores.csv": b"alpha,mse,r2\n" + b"".join(b"0.%d,%d,0.%d\n" % (n, 3000 + n, 40 + n) for n in range(20)),
    "outputs/notes.md": b"# Notes\n\n* good\n",
    "outputs/look.ipynb": json.dumps(NOTEBOOK).encode(),
    "outputs/plot.html": PAGE,
    "outputs/model/weights.bin": bytes(1000),
}
DOCUMENTS = {
    "confusion_matrix": {"class_labels": ["cat", "dog", "emu"], "matrix": [[90, 6, 4], [12, 80, 8], [3, 9, 88]]},
    "residuals": {
        "bin_edges": [n / 4 - 2 for n in range(17)],
        "bin_counts": [round(40 * math.exp(-((n - 7.5) ** 2) / 12)) for n in range(16)],
        "mean": 0.02,
        "stddev": 0.6,
    },
    "predictions": {
        "bin_edges": [float(n) for n in range(11)],
        "bin_averages": [n + 0.5 + 0.2 * math.sin(n) for n in range(10)],
        "bin_errors": [0.3] * 10,
    },
    "accuracy_table": {
        "class_labels": ["cat", "dog"],
        "probability_tables": [
            [[100 - n * k // 20, (100 - n * 10) ** 2 // 100, n * 10, n * k // 20] for n in range(11)] for k in (90, 140)
        ],
    },
}
