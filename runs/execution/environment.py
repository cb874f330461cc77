"""What a script finds around it: variables from an allow-list, and a Python environment with its packages."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from fnmatch import translate
from functools import cache
from pathlib import Path

from django.conf import settings

from runs.execution import host, kernel
from runs.models import Attempt, Run

# Nothing else of the worker's environment reaches a script: it holds the server's own secrets.
_PASSED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TERM"),
    *("LD_LIBRARY_PATH", "CUDA_*", "NVIDIA_*", "ROCR_*", "HIP_*", "OMP_*", "MKL_*", "OPENBLAS_*", "XDG_CACHE_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)


def passed(extra: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what is passed on of this process's own environment; names may hold `*`."""
    is_passed = _matcher((*_PASSED, *settings.STUDIO_PASS_ENVIRONMENT, *extra))
    return {name: value for name, value in os.environ.items() if is_passed(name)}


@cache
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(map(translate, patterns))).match


def build(run: Run, attempt: Attempt, *, token: str, interpreter: Path) -> dict[str, str]:
    """Return the script's whole environment. What identifies the run cannot be overridden by its own variables."""
    own: Mapping[str, str] = run.environment_variables
    environment = {**passed(), "PYTHONUNBUFFERED": "1", **own}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*client_folders(), own.get("PYTHONPATH", "")]))
    # `python` and the programs of its packages are those of the run's interpreter.
    environment["PATH"] = os.pathsep.join([str(interpreter.parent), environment.get("PATH", os.defpath)])
    if interpreter.parent.parent.joinpath("pyvenv.cfg").is_file():
        environment["VIRTUAL_ENV"] = str(interpreter.parent.parent)
    return {
        **environment,
        "STUDIO_URL": settings.STUDIO_URL,
        "STUDIO_TOKEN": token,
        "STUDIO_RUN_ID": run.run_id,
        "STUDIO_EXPERIMENT": run.experiment.name,
        "STUDIO_WORKSPACE": run.workspace.name,
        kernel.COOKIE_VARIABLE: host.cookie(attempt),
        "AZUREML_RUN_ID": run.run_id,
        **_mlflow(run, own, token=token),
    }


def _mlflow(run: Run, own: Mapping[str, str], *, token: str) -> dict[str, str]:
    """Return what makes MLflow's client log to this very run, unless the script is to log elsewhere."""
    if "MLFLOW_TRACKING_URI" in own:
        return {}
    return {
        "MLFLOW_TRACKING_URI": settings.STUDIO_URL,
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_RUN_ID": run.run_id,
        "MLFLOW_EXPERIMENT_ID": str(run.experiment_id),
    }


def client_folders() -> list[str]:
    """Return what brings the SDK into any interpreter: itself, and the start-up hook of its `azureml` alias."""
    sdk = settings.BASE_DIR / "sdk"
    return [str(sdk / "studio_sdk" / "startup"), str(sdk)]


def own_interpreter() -> Path:
    """Return the worker's own interpreter."""
    return Path(sys.executable)
