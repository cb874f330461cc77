"""The checks of the code run with its tests: format, lint, types, floors, templates."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

CHECKS = {
    "format": [BIN / "ruff", "format", "--check", "."],
    "lint": [BIN / "ruff", "check", "."],
    "types": [BIN / "mypy", "runs", "studio"],
    "types of the client": [BIN / "mypy", "sdk/studio_sdk"],
    "floors": [BIN / "lint-imports"],
    "templates": [BIN / "djade", "--check", *sorted(str(path) for path in (ROOT / "templates").rglob("*.html"))],
}


@pytest.mark.gate
@pytest.mark.parametrize("name", CHECKS)
def test_the_code_passes_the_check_of(name):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}"}

    done = subprocess.run(CHECKS[name], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
