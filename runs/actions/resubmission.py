"""What a run was submitted with, to submit it again, as it was or changed."""

from runs.actions.script_run_config import ScriptRunConfig
from runs.models import Param, Property, Run, Tag


def config_of(run: Run) -> ScriptRunConfig:
    """Return the configuration of a run that a worker executes, with its tags, properties and params."""
    return ScriptRunConfig(
        script=run.script,
        command=run.command,
        arguments=run.arguments,
        environment_variables=run.environment_variables,
        requirements=run.requirements,
        interpreter_path=run.interpreter_path,
        compute_target=run.compute_target.name if run.compute_target else "",
        tags=dict(Tag.objects.filter(run=run).values_list("key", "value")),
        properties=dict(Property.objects.filter(run=run).values_list("key", "value")),
        params=dict(Param.objects.filter(run=run).values_list("name", "value")),
        display_name=run.display_name,
        description=run.description,
        max_run_duration_seconds=run.max_run_duration_seconds,
        memory_bytes=run.memory_bytes,
        process_count=run.process_count,
        cpu_seconds=run.cpu_seconds,
        file_bytes=run.file_bytes,
        priority=run.priority,
        max_retries=run.max_retries,
        retries_lost_workers=run.retries_lost_workers,
    )
