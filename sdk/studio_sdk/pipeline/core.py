"""Pipelines, their runs, and what is published and scheduled: the names of `azureml.pipeline.core`.

Importing this touches neither network nor files.
"""

from studio_sdk.pipeline.data import OutputFileDatasetConfig, PipelineData, PipelineParameter
from studio_sdk.pipeline.pipeline import Pipeline
from studio_sdk.pipeline.published import PipelineEndpoint, PublishedPipeline
from studio_sdk.pipeline.runs import PipelineRun, PortDataReference, StepRun, StepRunOutput
from studio_sdk.pipeline.schedule import Schedule, ScheduleRecurrence, TimeZone
from studio_sdk.pipeline.sequence import StepSequence
from studio_sdk.pipeline.steps import Step as PipelineStep

__all__ = [
    "OutputFileDatasetConfig",
    "Pipeline",
    "PipelineData",
    "PipelineEndpoint",
    "PipelineParameter",
    "PipelineRun",
    "PipelineStep",
    "PortDataReference",
    "PublishedPipeline",
    "Schedule",
    "ScheduleRecurrence",
    "StepRun",
    "StepRunOutput",
    "StepSequence",
    "TimeZone",
]
