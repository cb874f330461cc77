"""The command line as a program of its own."""

import os
import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).resolve().parents[2] / "sdk"


def start(arguments: list[str], **options) -> subprocess.Popen:
    """Start `studio` with these arguments."""
    environment = {**os.environ, "PYTHONPATH": str(SDK), "COLUMNS": "200", "TERM": "dumb"}
    command = [sys.executable, "-m", "studio_sdk.cli", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
