"""`studio pipeline ...` and `studio run submit-pipeline`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, List, Optional

import typer

from studio_sdk.cli import options, output, runs, schedule
from studio_sdk.cli.output import Format
from studio_sdk.cli.submit import signals_heeded
from studio_sdk.core import Workspace
from studio_sdk.exceptions import AzureMLException, NotAvailable, UserErrorException
from studio_sdk.pipeline.core import Pipeline, PipelineEndpoint, PipelineRun, PublishedPipeline

app = typer.Typer(help="Check, run, publish and schedule pipelines.", no_args_is_help=True)
app.add_typer(schedule.app, name="schedule")

PipelineId = Annotated[
    Optional[str],
    typer.Option("-i", "--pipeline-id", help="The id or the name of a published pipeline; by name, the newest one."),
]
YamlFile = Annotated[Optional[Path], typer.Option("-y", "--pipeline-yaml", help="A file that describes the pipeline.")]
Parameters = Annotated[
    Optional[List[str]],
    typer.Option("-p", "--parameters", help="KEY=VALUE: a parameter; may be repeated. Lists are JSON: [1, 2]."),
]


@app.command("list")
def list_pipelines(
    shows_all: Annotated[bool, typer.Option("--all", help="The disabled ones too.")] = False,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """List the published pipelines, newest first.

    Example: studio pipeline list -o table
    """
    found = PublishedPipeline.list(options.workspace(workspace_name, path), active_only=not shows_all)
    output.emit([each._document for each in found], output=output_format, query=query)


@app.command()
def show(
    pipeline_id: PipelineId = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Show a published pipeline, its definition too.

    Example: studio pipeline show -i nightly --query definition -o yaml
    """
    found = find(options.workspace(workspace_name, path), pipeline_id)
    output.emit(found._document, output=output_format, query=query)


@app.command()
def validate(
    pipeline_yaml: Annotated[Path, typer.Argument(help="A file that describes a pipeline.")],
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.yaml,
) -> None:
    """Check a pipeline without running it. What is wrong is said with its step and its line.

    Example: studio pipeline validate pipeline.yml
    """
    pipeline = Pipeline.load_yaml(options.workspace(workspace_name, path), pipeline_yaml)
    output.emit(pipeline._document(), output=output_format, query=query)


@app.command()
def run(
    pipeline_id: PipelineId = None,
    pipeline_yaml: YamlFile = None,
    experiment_name: options.ExperimentName = None,
    parameters: Parameters = None,
    is_async: Annotated[bool, typer.Option("--async", help="Return at once, without saying what happens.")] = False,
    regenerate_outputs: Annotated[
        bool, typer.Option("--regenerate-outputs", help="Reuse no earlier result of a step.")
    ] = False,
    continue_on_step_failure: Annotated[
        Optional[bool],
        typer.Option(
            "--continue-on-step-failure/--stop-on-step-failure",
            help="Whether steps that do not depend on a failed one still run; default: the pipeline's.",
        ),
    ] = None,
    target: Annotated[
        Optional[str], typer.Option("--target", "--ct", help="The compute target of steps that name none.")
    ] = None,
    tags: Annotated[Optional[List[str]], typer.Option("--tags", help="KEY or KEY=VALUE; may be repeated.")] = None,
    cancel_on_exit: Annotated[
        bool, typer.Option("--cancel-on-exit", help="Cancel the run if this command is interrupted or terminated.")
    ] = False,
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
    """Run a pipeline of a file or a published one, and say which step is where. Ctrl-C leaves the run going.

    Example: studio pipeline run -y pipeline.yml -e penguins -p seed=11
    """
    _submit(
        options.workspace(workspace_name, path),
        pipeline_id,
        pipeline_yaml,
        experiment=options.experiment_name(experiment_name, path),
        is_async=is_async,
        cancels=cancel_on_exit,
        form=output_format,
        query=query,
        file=metadata_file,
        pipeline_parameters=_pairs(parameters),
        regenerate_outputs=regenerate_outputs,
        continue_on_step_failure=continue_on_step_failure,
        default_compute_target=target,
        tags=_tags(tags),
    )


@runs.app.command("submit-pipeline")
def submit_pipeline(
    pipeline_id: PipelineId = None,
    pipeline_yaml: YamlFile = None,
    experiment_name: Annotated[
        Optional[str], typer.Option("-n", "-e", "--experiment-name", help="The experiment; default: the folder's.")
    ] = None,
    parameters: Annotated[
        Optional[List[str]],
        typer.Option("-p", "--parameters", help="KEY=VALUE, several with commas between; may be repeated."),
    ] = None,
    datapaths: Annotated[Optional[str], typer.Option("-d", "--datapaths", help="Not available.", hidden=True)] = None,
    output_file: Annotated[
        Optional[Path], typer.Option("-f", "--output-file", help="Also write the run's document to this file.")
    ] = None,
    is_async: Annotated[bool, typer.Option("--async", help="Return at once, without saying what happens.")] = False,
    cancel_on_exit: Annotated[
        bool, typer.Option("--cancel-on-exit", help="Cancel the run if this command is interrupted or terminated.")
    ] = False,
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
    """Run a pipeline of a file or a published one, and say which step is where. Ctrl-C leaves the run going.

    Example: studio run submit-pipeline -y pipeline.yml -n penguins -p seed=11
    """
    if datapaths:
        raise NotAvailable("Studio has no data paths; give the path as a parameter: -p data=/srv/data")
    if output_file and metadata_file:
        raise UserErrorException("Name one file: --output-file or --output-metadata-file.")
    _submit(
        options.workspace(workspace_name, path),
        pipeline_id,
        pipeline_yaml,
        experiment=options.experiment_name(experiment_name, path),
        is_async=is_async,
        cancels=cancel_on_exit,
        form=output_format,
        query=query,
        file=output_file or metadata_file,
        pipeline_parameters=_pairs(_split(parameters)),
    )


@app.command()
def publish(
    pipeline_yaml: YamlFile = None,
    run: Annotated[Optional[str], typer.Option("-r", "--run", help="A pipeline run, in place of a file.")] = None,
    name: Annotated[Optional[str], typer.Option("-n", "--name", help="The name; default: the pipeline's own.")] = None,
    description: Annotated[Optional[str], typer.Option("-d", "--description", help="The description.")] = None,
    version: Annotated[
        Optional[str], typer.Option("-v", "--version", help="What you call this version; it has a number anyhow.")
    ] = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Publish a pipeline: a name that is there already gets its next version.

    Example: studio pipeline publish -y pipeline.yml -n nightly
    """
    workspace = options.workspace(workspace_name, path)
    if (pipeline_yaml is None) == (run is None):
        raise UserErrorException("Give a file with --pipeline-yaml, or a run with --run: one of the two.")
    if pipeline_yaml is not None:
        published = Pipeline.load_yaml(workspace, pipeline_yaml).publish(name, description, version)
    else:
        published = PipelineRun.get(workspace, str(run)).publish_pipeline(name or "", description, version)
    output.emit(published._document, output=output_format, query=query)


@app.command()
def create(
    name: Annotated[str, typer.Option("-n", "--name", help="The name.")],
    pipeline_yaml: Annotated[Path, typer.Option("-y", "--pipeline-yaml", help="A file that describes the pipeline.")],
    description: Annotated[Optional[str], typer.Option("-d", "--description", help="The description.")] = None,
    version: Annotated[Optional[str], typer.Option("-v", "--version", help="What you call this version.")] = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Publish the pipeline of a file, by the original's name for it; see `publish`.

    Example: studio pipeline create -n nightly -y pipeline.yml
    """
    workspace = options.workspace(workspace_name, path)
    published = Pipeline.load_yaml(workspace, pipeline_yaml).publish(name, description, version)
    output.emit(published._document, output=output_format, query=query)


@app.command()
def enable(
    pipeline_id: PipelineId = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Let a published pipeline be run again.

    Example: studio pipeline enable -i 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    found = find(options.workspace(workspace_name, path), pipeline_id)
    found.enable()
    output.emit(found._document, output=output_format, query=query)


@app.command()
def disable(
    pipeline_id: PipelineId = None,
    workspace_name: options.WorkspaceName = None,
    resource_group: options.Group = None,
    subscription_id: options.Subscription = None,
    path: options.Folder = None,
    query: options.Query = None,
    output_format: options.Output = Format.json,
) -> None:
    """Let a published pipeline be run no more, neither by its address nor by a schedule.

    Example: studio pipeline disable -i 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    found = find(options.workspace(workspace_name, path), pipeline_id)
    found.disable()
    output.emit(found._document, output=output_format, query=query)


def find(workspace: Workspace, given: Optional[str]) -> PublishedPipeline:
    """Return the published pipeline of an id or a name; of a name the newest enabled version, else the newest."""
    if not given:
        raise UserErrorException("Name a published pipeline: --pipeline-id ID or NAME.")
    versions = PipelineEndpoint(workspace, given).list_versions()
    if versions:
        return next((each for each in versions if each.status == "Active"), versions[0])
    return PublishedPipeline.get(workspace, given)


def _submit(
    workspace: Workspace,
    pipeline_id: Optional[str],
    pipeline_yaml: Optional[Path],
    *,
    experiment: str,
    is_async: bool,
    cancels: bool,
    form: Optional[Format],
    query: Optional[str],
    file: Optional[Path],
    **given: Any,
) -> None:
    output.check_file(file)
    if query:
        output.check_query(query)
    if (pipeline_id is None) == (pipeline_yaml is None):
        raise UserErrorException("Give --pipeline-id or --pipeline-yaml: one of the two.")
    with signals_heeded(cancels) as heed:
        if pipeline_yaml is not None:
            run = Pipeline.load_yaml(workspace, pipeline_yaml).submit(experiment, **given)
        else:
            run = find(workspace, pipeline_id).submit(workspace, experiment, **given)
        heed.append(run)
        if not is_async:
            run._stream(sys.stdout)
    if is_async or form or query or file:
        output.emit(run._fetch(), output=form or Format.json, query=query, file=file)
    if not is_async and run.get_status() != "Finished":
        document = run._known()
        raise AzureMLException(f"{run.id} is {document['status']}. {document['error'] or document['reason']}".strip())


def _split(given: Optional[List[str]]) -> List[str]:
    """Return the KEY=VALUE pairs of words that hold several; a part without `=` belongs to the value before it."""
    pairs: List[str] = []
    for word in given or []:
        for number, part in enumerate(word.split(",")):
            if number and "=" not in part:
                pairs[-1] += f",{part}"
            else:
                pairs.append(part)
    return pairs


def _pairs(given: Optional[List[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in given or []:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserErrorException(f"{word!r} is no parameter; expected KEY=VALUE.")
        found[key.strip()] = json.loads(value) if _is_list(value) else value
    return found


def _is_list(value: str) -> bool:
    try:
        return isinstance(json.loads(value), list)
    except ValueError:
        return False


def _tags(given: Optional[List[str]]) -> dict[str, Optional[str]]:
    pairs = [each.partition("=") for each in given or []]
    return {key: value if equals else None for key, equals, value in pairs}
