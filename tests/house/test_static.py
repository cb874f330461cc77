"""What the browser is given: pinned files of others, nothing from elsewhere, nothing inline, and little of it."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
VENDOR = STATIC / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OWN = [*sorted((STATIC / "css").glob("*.css")), *sorted((STATIC / "js").glob("*.js"))]

INLINE = re.compile(r"<style|\sstyle=|\son\w+=|\shx-on|href=[\"']javascript:|<script(?![^>]*\ssrc=)", re.IGNORECASE)
FOREIGN = re.compile(r"(?<!xmlns=\")(?:https?:)?//[a-z0-9-]+\.[a-z]", re.IGNORECASE)


def weight(paths):
    return sum(len(gzip.compress(path.read_bytes())) for path in paths)


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_vendored_file_is_as_it_was_published(entry):
    digest = hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest()

    assert digest == entry["sha256"]
    assert entry["version"] in entry["file"]
    assert entry["license"]


def test_every_vendored_file_is_in_the_manifest():
    held = {path.name for path in VENDOR.iterdir()} - {"manifest.json", "README.md"}

    assert held == {entry["file"] for entry in MANIFEST}


@pytest.mark.parametrize("path", [*TEMPLATES, *OWN], ids=lambda path: path.name)
def test_no_page_style_or_script_names_another_host(path):
    assert FOREIGN.findall(path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_has_an_inline_script_or_style(path):
    assert INLINE.findall(path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_load_no_tags_themselves(path):
    assert "{% load" not in path.read_text()


def test_every_icon_that_a_template_asks_for_is_in_the_sprite():
    sprite = next(VENDOR.glob("fluent-icons-*.svg")).read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    asked = {name for path in TEMPLATES for name in re.findall(r"{% icon [\"']([^\"']+)[\"']", path.read_text())}

    assert asked <= known


def test_the_first_page_is_light():
    frame = [STATIC / "css" / f"{name}.css" for name in ("tokens", "base", "layout", "controls", "components")]
    base = (ROOT / "templates" / "base.html").read_text()
    scripts = [STATIC / name for name in re.findall(r"<script src=\"{% static '([^']+)'", base)]

    assert weight(frame) < 12_000
    assert weight(scripts) < 20_000
    assert weight([*frame, *scripts, *VENDOR.glob("fluent-*.svg"), STATIC / "img" / "logo.svg"]) < 50_000
