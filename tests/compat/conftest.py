"""Foreign clients in environments of their own, and a running product for them to talk to."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.product import Product, running

# Today's, whole, since its server is what we compare with; and that of a year ago.
NOW = ("mlflow==3.17.2",)
THEN = ("mlflow-skinny==3.5.1", "scikit-learn<1.9", "pandas<3", "psutil")


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """The bin folder of a virtual environment with these packages, kept from one test run to the next."""

    def made(*packages: str) -> Path:
        folder = request.config.cache.mkdir("compat-" + packages[0].replace("==", "-"))
        if not (folder / "complete").exists():
            _uv("venv", "--clear", "--python", "3.11", str(folder / "venv"))
            _uv("pip", "install", "--python", str(folder / "venv" / "bin" / "python"), *packages)
            (folder / "complete").touch()
        return folder / "venv" / "bin"

    return made


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product."""
    with running(tmp_path_factory.mktemp("compat") / "home") as product:
        product.wait_until_ready()
        yield product


def _uv(*arguments: str) -> None:
    from uv import find_uv_bin

    quiet = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([find_uv_bin(), "--quiet", *arguments], check=True, env=quiet, timeout=600)
