"""`studio pipeline schedule ...`."""

from pathlib import Path
from typing import Annotated, List, Optional

import typer

from studio_sdk.cli import options, output
from studio_sdk.cli.output import Format
from studio_sdk.exceptions import UserErrorException
from studio_sdk.pipeline.core import Schedule, ScheduleRecurrence

app = typer.Typer(help="Let published pipelines be run by themselves.", no_args_is_help=True)

ScheduleId = Annotated[str, typer.Option("-s", "--schedule-id", help="The id of the schedule.")]


@app.command()
def create(
    name: Annotated[str, typer.Option("-n", "--name", help="The name.")],
    pipeline_id: Annotated[
        str, typer.Option("-i", "--pipeline-id", help="The id or the name of a published pipeline.")
    ],
    experiment_name: options.ExperimentName = None,
    cron: Annotated[
        Optional[str], typer.Option("--cron", help="Minute, hour, day, month, day of week: '30 6 * * MON-FRI'.")
    ] = None,
    frequency: Annotated[
        Optional[str], typer.Option("--frequency", help="Minute, Hour, Day, Week or Month, in place of --cron.")
    ] = None,
    interval: Annotated[int, typer.Option("--interval", help="Every so many of them.")] = 1,
    time_of_day: Annotated[Optional[str], typer.Option("--time-of-day", help="As in 6:30.")] = None,
    week_days: Annotated[
        Optional[List[str]], typer.Option("--week-day", help="Monday, ..., with --frequency Week; may be repeated.")
    ] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", help="A name such as Europe/Rome.")] = "UTC",
    start_time: Annotated[
        Optional[str], typer.Option("--start-time", help="Not before then, as in 2026-11-23T06:30.")
    ] = None,
    end_time: Annotated[Optional[str], typer.Option("--end-time", help="Not after then.")] = None,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="Make up for what was missed while the server was down.")
    ] = False,
    description: Annotated[Optional[str], typer.Option("-d", "--description", help="The description.")] = None,
    parameters: Annotated[
        Optional[List[str]], typer.Option("-p", "--parameters", help="KEY=VALUE: a parameter; may be repeated.")
    ] = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Let a published pipeline be run by itself, by a cron expression or a frequency.

    Example: studio pipeline schedule create -n morning -i nightly --cron '30 6 * * *' --time-zone Europe/Rome
    """
    from studio_sdk.cli.pipeline import _pairs, find

    if (cron is None) == (frequency is None):
        raise UserErrorException("Give --cron or --frequency: one of the two.")
    workspace = options.workspace(workspace_name, path)
    recurrence = None
    if frequency is not None:
        recurrence = ScheduleRecurrence(
            frequency, interval, week_days=week_days or None, time_of_day=time_of_day, time_zone=time_zone
        )
    made = Schedule.create(
        workspace,
        name,
        find(workspace, pipeline_id).id,
        options.experiment_name(experiment_name, path),
        recurrence=recurrence,
        cron=cron,
        time_zone=time_zone,
        start_time=start_time,
        end_time=end_time,
        catch_up=catch_up,
        description=description,
        pipeline_parameters=_pairs(parameters),
    )
    output.emit(made._document, output=output_format, query=query)


@app.command("list")
def list_schedules(
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """List the schedules, newest first, the paused ones too.

    Example: studio pipeline schedule list -o table
    """
    found = Schedule.list(options.workspace(workspace_name, path), active_only=False)
    output.emit([each._document for each in found], output=output_format, query=query)


@app.command()
def show(
    schedule_id: ScheduleId,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Show a schedule, with the latest times that came and what became of them.

    Example: studio pipeline schedule show -s 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    found = _find(schedule_id, workspace_name, path)
    ticks = found.workspace._client.get(f"{found._path}/ticks", {"limit": 10})["items"]
    output.emit({**found._document, "latest_ticks": ticks}, output=output_format, query=query)


@app.command()
def pause(
    schedule_id: ScheduleId,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Let nothing be run until the schedule is resumed.

    Example: studio pipeline schedule pause -s 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    found = _find(schedule_id, workspace_name, path)
    found.disable()
    output.emit(found._document, output=output_format, query=query)


@app.command()
def resume(
    schedule_id: ScheduleId,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Go on with the next time. What came meanwhile is not made up for.

    Example: studio pipeline schedule resume -s 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    found = _find(schedule_id, workspace_name, path)
    found.enable()
    output.emit(found._document, output=output_format, query=query)


@app.command()
def delete(
    schedule_id: ScheduleId,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
) -> None:
    """Remove a schedule. Its runs stay.

    Example: studio pipeline schedule delete -s 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    found = _find(schedule_id, workspace_name, path)
    found.delete()
    typer.echo(f"The schedule {found.name!r} is gone.")


def _find(schedule_id: str, workspace_name: Optional[str], path: Optional[Path]) -> Schedule:
    return Schedule.get(options.workspace(workspace_name, path), schedule_id)
