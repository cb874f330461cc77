"""The options that many commands share, and what they lead to."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from studio_sdk import connection
from studio_sdk.cli import completion
from studio_sdk.cli.output import Format
from studio_sdk.core import Workspace
from studio_sdk.core.workspace import find_attached, read_config
from studio_sdk.exceptions import UserErrorException

Output = Annotated[Format, typer.Option("-o", "--output", help="How the answer is printed.")]
Query = Annotated[Optional[str], typer.Option("--query", help="A JMESPath expression that filters the answer.")]
MetadataFile = Annotated[
    Optional[Path],
    typer.Option("-t", "--output-metadata-file", help="Also write the answer to this file, which must not be there."),
]
WorkspaceName = Annotated[
    Optional[str], typer.Option("-w", "--workspace-name", help="The workspace; default: the attached folder's.")
]
Group = Annotated[
    Optional[str], typer.Option("-g", "--resource-group", help="Taken for the sake of old command lines.", hidden=True)
]
Subscription = Annotated[
    Optional[str], typer.Option("--subscription-id", help="Taken for the sake of old command lines.", hidden=True)
]
Folder = Annotated[Optional[Path], typer.Option("--path", help="The attached folder; default: this one.")]
ExperimentName = Annotated[
    Optional[str],
    typer.Option(
        "-e",
        "--experiment-name",
        help="The experiment; default: the attached folder's.",
        autocompletion=completion.experiments,
    ),
]
RunId = Annotated[str, typer.Option("-r", "--run", help="The id of the run.", autocompletion=completion.runs)]


def workspace(name: Optional[str] = None, path: Optional[Path] = None) -> Workspace:
    """Return the workspace that is named, or that of the attached folder, or the first there is."""
    file = find_attached(path or Path.cwd())
    if file is None and path is not None:
        raise UserErrorException(f"{path} is not attached: run studio folder attach there.")
    if file is not None and name is None:
        return Workspace.from_config(file)
    url = read_config(file).get("studio_url") if file is not None else None
    client = connection.connect(url)
    if name is not None:
        return Workspace._existing(name, client)
    first = next(iter(client.pages("/workspaces")), None)
    if first is None:
        raise UserErrorException(f"You are a member of no workspace on {client.url}; its owner adds you.")
    return Workspace._of(first["name"], client)


def experiment_name(given: Optional[str], path: Optional[Path] = None) -> str:
    """Return the experiment that is named, or that of the attached folder, or the folder's own name."""
    if given:
        return given
    folder = path or Path.cwd()
    file = find_attached(folder)
    config = read_config(file) if file is not None else {}
    return config.get("experiment_name") or folder.absolute().name
