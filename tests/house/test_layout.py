"""What the house document promises of the tree: the top level, migrations, templates, task names."""

import subprocess
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.template.loader import get_template

from runs import dispatch

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {
    # what the user named
    *("manage.py", "studio", "runs", "templates", "static", "tests", "requirements.txt", "README.md"),
    # what the house document adds, with its reasons
    *("sdk", "docs", "examples", "bench", "pyproject.toml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
    *(".ci", ".gitignore", ".env.example"),
}


def test_nothing_joins_the_top_level_without_a_decision():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {name.split("/")[0] for name in tracked.splitlines()} <= TOP_LEVEL


def test_migrations_are_complete(db):
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)

    assert "runs" in {app.rpartition(".")[2] for app in settings.INSTALLED_APPS}


def test_every_template_compiles():
    names = [str(path.relative_to(ROOT / "templates")) for path in (ROOT / "templates").rglob("*.html")]

    assert names
    assert all(get_template(name) for name in names)


def test_every_name_that_is_dispatched_or_scheduled_is_a_registered_task(db):
    current_app.loader.import_default_modules()
    sent = {*dispatch.TASK_NAMES, *(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values())}

    assert sent <= set(current_app.tasks)
