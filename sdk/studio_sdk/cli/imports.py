"""`studio import mlflow`."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, List, Optional

import typer

from studio_sdk.cli import options, output
from studio_sdk.cli.output import Format
from studio_sdk.exceptions import AzureMLException
from studio_sdk.mlflow_import import importer, local_store
from studio_sdk.mlflow_import.job import Job, Options
from studio_sdk.mlflow_import.rest import Mlflow, store_at
from studio_sdk.mlflow_import.tally import Tally
from studio_sdk.transport import Client, quote

app = typer.Typer(help="Move runs here that were tracked elsewhere.", no_args_is_help=True)

# A server may be restarted meanwhile.
_RETRY_SECONDS = 60.0
# The store, the server and this program can work at the same time.
_AT_ONCE = 4
# How often progress is said: on a terminal, in one line; and elsewhere.
_TELL_SECONDS, _LINE_SECONDS = 0.2, 10.0


@app.command("mlflow")
def import_mlflow(
    store: Annotated[
        str,
        typer.Option(
            "--from", help="The store: http://HOST:PORT of its server, the folder `mlruns`, or the URI of a database."
        ),
    ],
    experiments: Annotated[
        Optional[List[str]],
        typer.Option("-e", "--experiment-name", help="Take this experiment alone; may be repeated."),
    ] = None,
    no_artifacts: Annotated[bool, typer.Option("--no-artifacts", help="Leave the files there.")] = False,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Take deleted runs and experiments too, as archived ones.")
    ] = False,
    workspace_name: options.WorkspaceName = None,
    path: options.Folder = None,
    output_format: Annotated[
        Format, typer.Option("-o", "--output", help="How the counts of both sides are printed.")
    ] = Format.table,
) -> None:
    """Move the runs of an MLflow store here, with their ids, times, histories and files.

    Interrupted, and run again, it goes on: nothing is made twice. At the end both sides are counted;
    the exit code is 1 if they differ. Credentials for the store's server are taken from its address or
    from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.

    Example: studio import mlflow --from http://mlflow.example:5000
    """
    workspace = options.workspace(workspace_name, path)
    here = Client(workspace._client.url, retry_seconds=_RETRY_SECONDS)
    dialect = Mlflow(f"{here.url}/w/{quote(workspace.name)}", retry_seconds=_RETRY_SECONDS)
    here.authorization = dialect.authorization = workspace._client.authorization
    wanted = Options(with_files=not no_artifacts, with_deleted=include_deleted, experiments=tuple(experiments or ()))
    teller = _Teller()
    with local_store.address_of(store) as address, ThreadPoolExecutor(_AT_ONCE) as pool:
        source = store_at(address, retry_seconds=_RETRY_SECONDS)
        tally = importer.run(Job(source, here, dialect, workspace.name, wanted, teller.tell, pool))
    teller.end()
    output.emit(
        [{"what": what, "there": there, "here": here} for what, there, here in tally.rows()], output=output_format
    )
    for refusal in tally.refusals:
        typer.echo(refusal, err=True)
    if not tally.is_complete:
        raise AzureMLException("Not all that is there is here. Run it again once the cause is gone: it goes on.")


class _Teller:
    """Says how far it is, now and then."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._due_at = 0.0

    def tell(self, tally: Tally) -> None:
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + (_TELL_SECONDS if self._is_terminal else _LINE_SECONDS)
            sys.stderr.write(f"\r{tally.progress}\x1b[K" if self._is_terminal else f"{tally.progress}\n")
            sys.stderr.flush()

    def end(self) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")


@app.callback()
def _imports() -> None:
    pass
