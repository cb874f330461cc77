"""Which packages an interpreter has, read from the names of its folders: nothing of it is run."""

import hashlib
import json
import platform
import re
import sys
from pathlib import Path

from runs.execution import environment
from runs.models import Attempt, PythonEnvironment

_PACKAGES = 5_000
_SITES = ("lib/python3*/site-packages", "lib64/python3*/site-packages", "lib/python3/dist-packages")


def record(attempt: Attempt, interpreter: Path) -> None:
    """Write down what the attempt's interpreter has; those that have the same share a row."""
    version, packages = packages_of(interpreter)
    digest = hashlib.sha256(json.dumps([version, packages]).encode()).hexdigest()
    found, _ = PythonEnvironment.objects.get_or_create(
        digest=digest, defaults={"python_version": version, "packages": packages}
    )
    Attempt.objects.filter(pk=attempt.pk).update(python_environment=found)


def packages_of(interpreter: Path) -> tuple[str, list[list[str]]]:
    """Return the version of an interpreter, as far as its folders say it, and its packages by name."""
    if interpreter == environment.own_interpreter():
        return platform.python_version(), _packages([Path(folder) for folder in sys.path if folder])
    prefix = interpreter.parent.parent
    sites = [site for pattern in _SITES for site in sorted(prefix.glob(pattern))]
    return _version(prefix, sites), _packages(sites)


# What folders held when they were last changed. Supervisors inherit what their launcher has looked at.
_seen: dict[tuple[tuple[Path, int], ...], list[list[str]]] = {}


def _packages(sites: list[Path]) -> list[list[str]]:
    # A package that comes or goes changes its folder.
    state = tuple((site, site.stat().st_mtime_ns) for site in sites if site.is_dir())
    if state not in _seen:
        _seen[state] = _look([site for site, _ in state])
    return _seen[state]


def _look(sites: list[Path]) -> list[list[str]]:
    found: dict[str, str] = {}
    for site in sites:
        for entry in site.iterdir():
            name, dash, version = entry.stem.partition("-")
            if entry.suffix in (".dist-info", ".egg-info") and dash:
                # The first on the path is the one that is imported.
                found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version.split("-py")[0])
    return [list(item) for item in sorted(found.items())[:_PACKAGES]]


def _version(prefix: Path, sites: list[Path]) -> str:
    settings = prefix / "pyvenv.cfg"
    if settings.is_file():
        match = re.search(r"^version(?:_info)?\s*=\s*([\d.]+)", settings.read_text(errors="replace"), re.MULTILINE)
        if match:
            return match[1].rstrip(".")
    return next((site.parent.name.removeprefix("python") for site in sites if site.parent.name != "python3"), "")
