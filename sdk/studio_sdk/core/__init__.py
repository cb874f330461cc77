"""Workspace, Experiment, Run and what is submitted: the names of `azureml.core`.

Importing this touches neither network nor files.
"""

from studio_sdk.core.compute import ComputeTarget
from studio_sdk.core.conda_dependencies import CondaDependencies
from studio_sdk.core.environment import Environment
from studio_sdk.core.experiment import Experiment
from studio_sdk.core.run import Run
from studio_sdk.core.runconfig import RunConfiguration
from studio_sdk.core.script_run_config import ScriptRunConfig
from studio_sdk.core.unavailable import Dataset, Datastore, Image, Keyvault, Model, Webservice
from studio_sdk.core.workspace import Workspace
from studio_sdk.version import VERSION

__version__ = VERSION

__all__ = [
    "VERSION",
    "ComputeTarget",
    "CondaDependencies",
    "Dataset",
    "Datastore",
    "Environment",
    "Experiment",
    "Image",
    "Keyvault",
    "Model",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "Webservice",
    "Workspace",
]
