"""The rows. Each module holds one noun with its QuerySet; nothing here decides anything."""

from runs.models.artifact import Artifact
from runs.models.attempt import Attempt, PythonEnvironment, SystemMetrics
from runs.models.compute_target import ComputeTarget, Worker
from runs.models.dataset import Dataset, DatasetUse
from runs.models.experiment import Experiment, StatusCount
from runs.models.favorite import Favorite
from runs.models.git_patch import GitPatch
from runs.models.lease import Lease
from runs.models.logged_model import LoggedModel, LoggedModelMetric, LoggedModelUse
from runs.models.metric import Metric, MetricBatch, MetricBucket, MetricPoint
from runs.models.pipeline_draft import DraftRun, PipelineDraft
from runs.models.pipeline_run import PipelineRun, StepRun
from runs.models.preferences import Preferences
from runs.models.published_pipeline import PublishedPipeline
from runs.models.retention_rule import RetentionRule
from runs.models.run import Run, RunType
from runs.models.run_event import RunEvent
from runs.models.saved_search import KeyKind, SavedSearch, SearchKey
from runs.models.schedule import Schedule, ScheduleTick, TickOutcome
from runs.models.search_text import SearchText
from runs.models.sign_in_failure import SignInFailure
from runs.models.snapshot import Snapshot
from runs.models.table_view import DefaultView, TableView
from runs.models.tag import Param, Property, Tag
from runs.models.token import ApiToken, LoginCode, SignInLink
from runs.models.workspace import Membership, Role, Workspace

__all__ = [
    "ApiToken",
    "Artifact",
    "Attempt",
    "ComputeTarget",
    "Dataset",
    "DatasetUse",
    "DefaultView",
    "DraftRun",
    "Experiment",
    "Favorite",
    "GitPatch",
    "KeyKind",
    "Lease",
    "LoggedModel",
    "LoggedModelMetric",
    "LoggedModelUse",
    "LoginCode",
    "Membership",
    "Metric",
    "MetricBatch",
    "MetricBucket",
    "MetricPoint",
    "Param",
    "PipelineDraft",
    "PipelineRun",
    "Preferences",
    "Property",
    "PublishedPipeline",
    "PythonEnvironment",
    "RetentionRule",
    "Role",
    "Run",
    "RunEvent",
    "RunType",
    "SavedSearch",
    "Schedule",
    "ScheduleTick",
    "SearchKey",
    "SearchText",
    "SignInFailure",
    "SignInLink",
    "Snapshot",
    "StatusCount",
    "StepRun",
    "SystemMetrics",
    "TableView",
    "Tag",
    "TickOutcome",
    "Worker",
    "Workspace",
]
