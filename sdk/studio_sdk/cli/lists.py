"""`studio experiment list` and `studio computetarget list`."""

from typing import Annotated

import typer

from studio_sdk.cli import options, output
from studio_sdk.cli.output import Format
from studio_sdk.core import ComputeTarget, Experiment
from studio_sdk.core.experiment import ViewType

experiments = typer.Typer(help="Experiments of a workspace.", no_args_is_help=True)
targets = typer.Typer(help="Places where runs are executed.", no_args_is_help=True)


@experiments.command("list")
def list_experiments(
    archived: Annotated[bool, typer.Option("--archived", help="The archived ones instead.")] = False,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
    metadata_file: options.MetadataFile = None,
) -> None:
    """List the experiments.

    Example: studio experiment list -o table
    """
    output.check_file(metadata_file)
    view = ViewType.ArchivedOnly if archived else ViewType.ActiveOnly
    found = Experiment.list(options.workspace(workspace_name, path), view_type=view)
    output.emit([each._known() for each in found], output=output_format, query=query, file=metadata_file)


# A group with one command would swallow the command's name.
@experiments.callback()
def _experiments() -> None:
    pass


@targets.command("list")
def list_targets(
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """List the compute targets.

    Example: studio computetarget list --query "[].name" -o tsv
    """
    found = ComputeTarget.list(options.workspace(workspace_name, path))
    output.emit([each.serialize() for each in found], output=output_format, query=query)


@targets.callback()
def _targets() -> None:
    pass
