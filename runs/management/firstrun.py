"""What must be there before Studio can start: folders, tables, static files, and the first rows."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from runs.models import ComputeTarget, Membership, Role, Workspace

USER_NAME, WORKSPACE_NAME, COMPUTE_TARGET_NAME = "admin", "default", "local"
DEFAULT_SLOTS = 2


def make_home() -> None:
    """Make the folder of all data one that only its owner may enter."""
    home = settings.STUDIO_HOME
    (home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (home, home / "run"):
        folder.chmod(0o700)
    for file in home.glob("*.sqlite3*"):
        file.chmod(0o600)


def needs_migration() -> bool:
    """Return whether the database lacks tables or columns that this version reads."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def migrate() -> None:
    """Bring the database to this version."""
    if needs_migration():
        call_command("migrate", verbosity=0, interactive=False)


def collect_static_files() -> None:
    """Gather, hash and compress the static files, unless they are the ones that were gathered before."""
    mark = settings.STUDIO_HOME / "run" / "static-sources"
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    fingerprint = _fingerprint()
    if manifest.exists() and mark.exists() and mark.read_text() == fingerprint:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    mark.write_text(fingerprint)


def make_first_rows(*, slots: int | None) -> None:
    """Make the first user, workspace and compute target, where there are none at all.

    The user `admin` has no password: a sign-in link lets its owner in, who may choose one.
    `slots` is how many runs `local` executes at once; None leaves it as it is.
    """
    now = timezone.now()
    with transaction.atomic():
        if not User.objects.exists():
            user = User.objects.create_superuser(USER_NAME)
            workspace, _ = Workspace.objects.get_or_create(name=WORKSPACE_NAME, defaults={"created_at": now})
            Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER)
        if not ComputeTarget.objects.exists():
            ComputeTarget.objects.create(
                name=COMPUTE_TARGET_NAME,
                description="This machine",
                slots=slots or DEFAULT_SLOTS,
                created_at=now,
            )
        elif slots:
            ComputeTarget.objects.filter(name=COMPUTE_TARGET_NAME).update(slots=slots)


def _fingerprint() -> str:
    """Return a digest that changes when any static file does."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda found: found[0]):
            stat = Path(storage.path(path)).stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
