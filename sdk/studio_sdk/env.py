"""The environment variables that the client reads, and nothing else of it."""

from __future__ import annotations

import os

# The server and who we are. They win over what `studio login` stored.
URL = "STUDIO_URL"
TOKEN = "STUDIO_TOKEN"  # noqa: S105 - the name of the variable
# Set by the worker for the script that it runs.
RUN_ID = "STUDIO_RUN_ID"
EXPERIMENT = "STUDIO_EXPERIMENT"
WORKSPACE = "STUDIO_WORKSPACE"
# Where a server on this machine keeps its data.
HOME = "STUDIO_HOME"
# Where `studio login` keeps its tokens, instead of the user's configuration folder.
CONFIG_HOME = "STUDIO_CONFIG_HOME"
# Where metrics go that the server would not take.
SPOOL_FOLDER = "STUDIO_SPOOL_FOLDER"
# How long a script that ends waits for a server that is away.
EXIT_WAIT_SECONDS = "STUDIO_EXIT_WAIT_SECONDS"
# Of MLflow's clients: the store that is imported, and who we are there.
MLFLOW_URI = "MLFLOW_TRACKING_URI"
MLFLOW_USERNAME = "MLFLOW_TRACKING_USERNAME"
MLFLOW_PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 - the name of the variable
MLFLOW_TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - the name of the variable


def text(name: str, default: str = "") -> str:
    """Return the variable, or `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def seconds(name: str, default: float) -> float:
    """Return the variable as a number of seconds; what is no number counts as unset."""
    try:
        return max(0.0, float(os.environ[name]))
    except (KeyError, ValueError):
        return default
