"""`studio run ...`: list, show, cancel, change and read runs."""

import itertools
import sys
from pathlib import Path
from typing import Annotated, Any, List, Optional

import typer

from studio_sdk.cli import completion, options, output
from studio_sdk.cli.output import Format
from studio_sdk.core import Run
from studio_sdk.core.run import RunStatus
from studio_sdk.exceptions import UserErrorException

app = typer.Typer(help="Submit, watch, find, tag and cancel runs.", no_args_is_help=True)

_MINIMAL = ("run_id", "run_type", "status", "start_time_utc", "end_time_utc", "compute_target", "tags")


@app.command("list")
def list_runs(
    experiment_name: Annotated[
        Optional[str],
        typer.Option(
            "-e",
            "--experiment-name",
            help="Only runs of this experiment.",
            autocompletion=completion.experiments,
        ),
    ] = None,
    parent_run_id: Annotated[
        Optional[str],
        typer.Option("--parent-run-id", help="The children of this run.", autocompletion=completion.runs),
    ] = None,
    pipeline_run_id: Annotated[Optional[str], typer.Option("--pipeline-run-id", help="The steps of this run.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="How many, the newest first.")] = 10,
    compute_target_name: Annotated[
        Optional[str],
        typer.Option(
            "--compute-target-name", help="Only runs on this compute target.", autocompletion=completion.targets
        ),
    ] = None,
    status: Annotated[Optional[str], typer.Option("--status", help="Only runs in this status.")] = None,
    tags: Annotated[
        Optional[List[str]], typer.Option("--tags", help="Only runs with this tag: KEY or KEY=VALUE; may be repeated.")
    ] = None,
    minimal: Annotated[bool, typer.Option("--minimal", help="Only the most important fields.")] = False,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
    metadata_file: options.MetadataFile = None,
) -> None:
    """List runs, the newest first; top-level runs, unless a parent is named.

    Example: studio run list -e explore-runs --query "[?properties.author=='azureml-user']"
    """
    output.check_file(metadata_file)
    if query:
        output.check_query(query)
    if experiment_name and pipeline_run_id:
        raise UserErrorException("--experiment-name and --pipeline-run-id can not go together.")
    parent = parent_run_id or pipeline_run_id
    workspace = options.workspace(workspace_name, path)
    given = [each.partition("=") for each in tags or []]
    filters: dict[str, Any] = {"status": _status(status), "target": compute_target_name}
    by_key = [key for key, equals, _ in given if not equals]
    by_value = {key: value for key, equals, value in given if equals}
    if parent:
        found = workspace._runs({}, path=f"{workspace.get_run(parent)._path}/children", tags=by_value, **filters)
    else:
        found = workspace._runs({"experiment": experiment_name}, tags=by_value, **filters)
    chosen = (run._known() for run in found if all(key in run.tags for key in by_key))
    documents = list(itertools.islice(chosen, last))
    if minimal:
        documents = [{name: document[name] for name in _MINIMAL} for document in documents]
    output.emit(documents, output=output_format, query=query, file=metadata_file)


@app.command()
def show(
    run: options.RunId,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
    metadata_file: options.MetadataFile = None,
) -> None:
    """Show all that is known of one run.

    Example: studio run show -r explore-runs_1579000000_0a1b2c3d -o yaml
    """
    output.check_file(metadata_file)
    found = _find(run, workspace_name, path)
    output.emit(found._known(), output=output_format, query=query, file=metadata_file)


@app.command()
def cancel(
    run: options.RunId,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Cancel a run. It is Canceled once no process of it is left.

    Example: studio run cancel -r explore-runs_1579000000_0a1b2c3d
    """
    found = _find(run, workspace_name, path)
    found.cancel()
    output.emit(found._known(), output=output_format, query=query)


@app.command()
def update(
    run: options.RunId,
    add_tag: Annotated[
        Optional[List[str]], typer.Option("--add-tag", help="KEY or KEY=VALUE: add or change a tag; may be repeated.")
    ] = None,
    remove_tag: Annotated[
        Optional[List[str]], typer.Option("--remove-tag", help="KEY: remove a tag; may be repeated.")
    ] = None,
    display_name: Annotated[Optional[str], typer.Option("--display-name", help="The name for eyes.")] = None,
    description: Annotated[Optional[str], typer.Option("--description", help="The description, in Markdown.")] = None,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Change the tags, the name or the description of a run.

    Example: studio run update -r explore-runs_1579000000_0a1b2c3d --add-tag quality='fantastic run'
    """
    changes: dict[str, Any] = {"display_name": display_name, "description": description}
    if add_tag:
        given = [each.partition("=") for each in add_tag]
        changes["tags"] = {key: value if equals else None for key, equals, value in given}
    if remove_tag:
        changes["remove_tags"] = list(remove_tag)
    changes = {key: value for key, value in changes.items() if value is not None}
    if not changes:
        raise UserErrorException("Nothing to change: give --add-tag, --remove-tag, --display-name or --description.")
    found = _find(run, workspace_name, path)
    document = found._client.patch(found._path, changes)
    output.emit(document, output=output_format, query=query)


@app.command("download-logs")
def download_logs(
    run: options.RunId,
    directory: Annotated[
        Optional[Path], typer.Option("-d", "--dir", help="The folder; default: one with the run's id.")
    ] = None,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Download the logs of a run.

    Example: studio run download-logs -r explore-runs_1579000000_0a1b2c3d -d logs
    """
    paths = _find(run, workspace_name, path).get_all_logs(str(directory or run))
    output.emit(paths, output=output_format, query=query)


@app.command("monitor-logs")
def monitor_logs(
    run: options.RunId,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
) -> None:
    """Print the log of a run as it grows, until the run has ended.

    Example: studio run monitor-logs -r explore-runs_1579000000_0a1b2c3d
    """
    _find(run, workspace_name, path)._follow(sys.stdout)


@app.command()
def metrics(
    run: options.RunId,
    name: Annotated[Optional[str], typer.Option("-n", "--name", help="Only this metric.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Also of all runs below, by run id.")] = False,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Show the metrics of a run.

    Example: studio run metrics -r explore-runs_1579000000_0a1b2c3d --query "alpha[-1]"
    """
    found = _find(run, workspace_name, path).get_metrics(name=name, recursive=recursive)
    output.emit(found, output=output_format, query=query)


def _find(run_id: str, workspace_name: Optional[str], path: Optional[Path]) -> Run:
    return options.workspace(workspace_name, path).get_run(run_id)


def _status(given: Optional[str]) -> Optional[str]:
    if given is None:
        return None
    known = {status.lower(): status for status in RunStatus.list()}
    if given.lower() not in known:
        raise UserErrorException(f"There is no status {given!r}; there are {', '.join(known.values())}.")
    return known[given.lower()]
