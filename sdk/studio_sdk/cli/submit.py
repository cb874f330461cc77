"""`studio run submit-script`: submit a script of a folder, and follow it."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, List, Optional

import typer

from studio_sdk import values
from studio_sdk.cli import completion, options, output
from studio_sdk.cli.output import Format
from studio_sdk.cli.runs import app
from studio_sdk.core import CondaDependencies, Experiment, Run, RunConfiguration, ScriptRunConfig
from studio_sdk.core.run import TERMINAL
from studio_sdk.exceptions import AzureMLException, UserErrorException

# How long a cancel on exit waits to see the run end; the server goes on with it in any case.
_CANCEL_SECONDS = 15.0


class _Stopped(BaseException):
    """A signal asked this program to stop."""


@app.command("submit-script", context_settings={"allow_interspersed_args": False})
def submit_script(
    script: Annotated[
        Optional[List[str]],
        typer.Argument(
            help="The script and its arguments; default: those of the run configuration.", show_default=False
        ),
    ] = None,
    configuration: Annotated[
        Optional[str], typer.Option("-c", "--run-configuration-name", help="NAME of .azureml/NAME.runconfig.")
    ] = None,
    source_directory: Annotated[
        Optional[Path], typer.Option("--source-directory", help="The folder that is submitted; default: this one.")
    ] = None,
    is_async: Annotated[bool, typer.Option("--async", help="Return at once, without the log.")] = False,
    conda_dependencies: Annotated[
        Optional[Path], typer.Option("-d", "--conda-dependencies", help="A conda file in place of the configuration's.")
    ] = None,
    target: Annotated[
        Optional[str],
        typer.Option(
            "--target",
            "--ct",
            help="The compute target in place of the configuration's.",
            autocompletion=completion.targets,
        ),
    ] = None,
    priority: Annotated[
        Optional[int], typer.Option("--priority", help="Its place in line: the greatest goes first, 0 is the usual.")
    ] = None,
    max_retries: Annotated[
        Optional[int], typer.Option("--max-retries", help="How often it is tried again if the script fails.")
    ] = None,
    not_before: Annotated[
        Optional[str], typer.Option("--not-before", help="It waits in line until then, as in 2026-11-23T18:00.")
    ] = None,
    cancel_on_exit: Annotated[
        bool, typer.Option("--cancel-on-exit", help="Cancel the run if this command is interrupted or terminated.")
    ] = False,
    experiment_name: options.ExperimentName = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: Annotated[
        Optional[Format], typer.Option("-o", "--output", help="Print the run's document at the end.")
    ] = None,
    metadata_file: options.MetadataFile = None,
) -> None:
    """Submit a script, and print its log as it grows. Ctrl-C stops the printing, not the run.

    Example: studio run submit-script -c sklearn -e testexperiment train.py --alpha 0.5
    """
    output.check_file(metadata_file)
    if query:
        output.check_query(query)
    folder = path or Path.cwd()
    config = RunConfiguration.load(folder, configuration) if configuration else RunConfiguration()
    if target:
        config.target = target
    for option, value in (("priority", priority), ("max_retries", max_retries), ("not_before", not_before)):
        if value is not None:
            setattr(config, option, value)
    if conda_dependencies:
        config.environment.python.conda_dependencies = CondaDependencies(conda_dependencies)
    name, arguments = (script[0], script[1:]) if script else (config.script, None)
    if not name and not config.command:
        raise UserErrorException("Name a script, as in: studio run submit-script train.py")
    source = ScriptRunConfig(source_directory or folder, script=name, arguments=arguments, run_config=config)
    workspace = options.workspace(workspace_name, path)
    experiment = Experiment(workspace, options.experiment_name(experiment_name, path))
    with signals_heeded(cancel_on_exit) as heed:
        run = experiment.submit(source)
        heed.append(run)
        if not is_async:
            run._stream(sys.stdout)
    if is_async or output_format or query or metadata_file:
        output.emit(run._fetch(), output=output_format or Format.json, query=query, file=metadata_file)
    if not is_async and run.get_status() != "Completed":
        document = run._known()
        raise AzureMLException(f"{run.id} is {run.status}. {document['error'] or document['reason']}".strip())


@contextmanager
def signals_heeded(cancels: bool) -> Iterator[list[Run]]:
    """Give a list for the run; on Ctrl-C, and with `cancels` on SIGTERM, cancel it or say that it goes on."""
    runs: list[Run] = []

    def stop(number: int, frame: Optional[FrameType]) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop) if cancels else None
    try:
        yield runs
    except (KeyboardInterrupt, _Stopped):
        if not runs:
            raise AzureMLException("Stopped before the run was submitted.") from None
        if not cancels:
            raise AzureMLException(
                f"No longer watching {runs[0].id}, which goes on. Cancel it with: studio run cancel -r {runs[0].id}"
            ) from None
        _cancel(runs[0])
        raise AzureMLException(f"{runs[0].id} is {runs[0].get_status()}.") from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _cancel(run: Run) -> None:
    values.warn(f"canceling {run.id}")
    run.cancel()
    ends_at = time.monotonic() + _CANCEL_SECONDS
    while run.get_status() not in TERMINAL and time.monotonic() < ends_at:
        time.sleep(0.2)
