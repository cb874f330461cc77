"""`studio folder attach`: tie a folder to a workspace."""

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from studio_sdk import connection
from studio_sdk.cli import options, output
from studio_sdk.cli.output import Format
from studio_sdk.core import RunConfiguration, Workspace
from studio_sdk.core.runconfig import FOLDER

app = typer.Typer(help="Tie a folder to a workspace.", no_args_is_help=True)

_IGNORED = """\
.ipynb_checkpoints
azureml-logs
.azureml
.git
outputs
azureml-setup
docs
"""
_PACKAGES = """\
# Packages of the runs that are submitted from this folder. Those under pip are installed, once for all runs
# that ask for the same; conda packages are recorded. As long as none are named, the worker's own are used.
name: project_environment
dependencies:
- pip: []
"""


@app.command()
def attach(
    workspace_name: Annotated[str, typer.Option("-w", "--workspace-name", help="The workspace.")],
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    experiment_name: Annotated[
        Optional[str], typer.Option("-e", "--experiment-name", help="The experiment; default: the folder's name.")
    ] = None,
    path: Annotated[Optional[Path], typer.Option("--path", help="The folder; default: this one.")] = None,
    url: Annotated[Optional[str], typer.Option("--url", help="The server; default: the one signed in to.")] = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Write `.azureml/` with a config file and run configurations, so that commands and SDK find the workspace.

    Files that are there already stay as they are, but for config.json.

    Example: studio folder attach -w default -e explore-runs
    """
    folder = (path or Path.cwd()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    client = connection.connect(url)
    workspace = Workspace._existing(
        workspace_name, client, resource_group=resource_group or "", subscription_id=subscription_id or ""
    )
    workspace.write_config(folder)
    experiment = experiment_name or folder.name
    file = folder / FOLDER / "config.json"
    config = {**json.loads(file.read_text(encoding="utf-8")), "experiment_name": experiment}
    file.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")
    _write_new(folder / FOLDER / "conda_dependencies.yml", _PACKAGES)
    _write_new(folder / ".amlignore", _IGNORED)
    _save(folder, "local", "local")
    _save(folder, "docker", "local", docker=True)
    for name in workspace.compute_targets:
        _save(folder, name, name)
    answer = {
        "experiment_name": experiment,
        "subscription_id": subscription_id or "",
        "resource_group": resource_group or "",
        "workspace_name": workspace_name,
        "project_path": str(folder),
    }
    output.emit(answer, output=output_format, query=query)


def _save(folder: Path, name: str, target: str, *, docker: bool = False) -> None:
    if (folder / FOLDER / f"{name}.runconfig").exists():
        return
    config = RunConfiguration()
    config.target = target
    config.environment.docker.enabled = docker
    # The packages are in the file beside it, for people to change.
    config.environment.python.conda_dependencies = None
    config.environment.python.conda_dependencies_file = f"{FOLDER}/conda_dependencies.yml"
    config.save(folder, name)


def _write_new(file: Path, text: str) -> None:
    if not file.exists():
        file.write_text(text, encoding="utf-8")
