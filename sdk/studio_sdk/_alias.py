"""`azureml` as another name for this package, found only where nobody else has it.

The finder stands last on `sys.meta_path`: what a real installation has is found before it,
module by module. It imports nothing until it is asked for a name of its own.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Optional

ROOT = "azureml"

# The modules that people import, and ours. None is a package that only holds others.
_MODULES: dict[str, Optional[str]] = {
    "azureml": None,
    "azureml._common": None,
    "azureml._common.exceptions": "studio_sdk.exceptions",
    "azureml.core": "studio_sdk.core",
    "azureml.core.authentication": "studio_sdk.core.authentication",
    "azureml.core.compute": "studio_sdk.core.compute",
    "azureml.core.compute_target": "studio_sdk.core.compute",
    "azureml.core.conda_dependencies": "studio_sdk.core.conda_dependencies",
    "azureml.core.dataset": "studio_sdk.core.unavailable",
    "azureml.core.datastore": "studio_sdk.core.unavailable",
    "azureml.core.environment": "studio_sdk.core.environment",
    "azureml.core.experiment": "studio_sdk.core.experiment",
    "azureml.core.model": "studio_sdk.core.unavailable",
    "azureml.core.run": "studio_sdk.core.run",
    "azureml.core.runconfig": "studio_sdk.core.runconfig",
    "azureml.core.script_run_config": "studio_sdk.core.script_run_config",
    "azureml.core.workspace": "studio_sdk.core.workspace",
    "azureml.exceptions": "studio_sdk.exceptions",
    "azureml.pipeline": None,
    "azureml.pipeline.core": "studio_sdk.pipeline.core",
    "azureml.pipeline.core.graph": "studio_sdk.pipeline.core",
    "azureml.pipeline.core.pipeline": "studio_sdk.pipeline.core",
    "azureml.pipeline.core.pipeline_endpoint": "studio_sdk.pipeline.core",
    "azureml.pipeline.core.pipeline_output_dataset": "studio_sdk.pipeline.core",
    "azureml.pipeline.core.run": "studio_sdk.pipeline.core",
    "azureml.pipeline.core.schedule": "studio_sdk.pipeline.core",
    "azureml.pipeline.steps": "studio_sdk.pipeline.steps",
    "azureml.pipeline.steps.python_script_step": "studio_sdk.pipeline.steps",
    "azureml.widgets": "studio_sdk.widgets",
}

_PARENT_SCRIPT = (
    "Write a parent script that submits each step with Run.get_context().submit_child(ScriptRunConfig(...)), "
    "and waits for Run.get_children()."
)
_UNAVAILABLE = {
    "azureml.pipeline": "Studio's pipelines are in azureml.pipeline.core and azureml.pipeline.steps.",
    "azureml.train": f"Studio's SDK has no HyperDrive, AutoML or estimators. {_PARENT_SCRIPT}",
    "azureml.data": "Studio has no datasets. Read files where they lie; results belong into ./outputs.",
    "azureml.telemetry": "Studio collects no telemetry; remove the import.",
    "azureml.mlflow": "Point MLflow at the server: mlflow.set_tracking_uri(workspace.get_mlflow_tracking_uri()).",
    "azureml.core": "Studio's SDK has no such module. Its names are in azureml.core and docs/coming-from-azure-ml.md.",
    "azureml": "Studio's SDK has no such module. What it has is listed in docs/coming-from-azure-ml.md.",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and makes the modules of the alias."""

    is_studio_alias = True

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        if _has_real_core():
            return None
        if fullname in _MODULES:
            is_package = any(name.startswith(f"{fullname}.") for name in _MODULES)
            return importlib.machinery.ModuleSpec(fullname, self, origin="studio_sdk", is_package=is_package)
        if "._" in fullname or fullname.endswith((".__path__", ".__main__")):
            return None
        _say_what_instead(fullname)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[ModuleType]:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        module.__doc__ = f"Studio's stand-in for {name}."
        own = _MODULES[name]
        if own is None:
            return
        source = importlib.import_module(own)
        names = [each for each in vars(source) if not (each.startswith("__") and each.endswith("__"))]
        module.__dict__.update({each: getattr(source, each) for each in names})
        if name == "azureml.core":
            module.__dict__.update(__version__=source.VERSION, __all__=source.__all__)


def _has_real_core() -> bool:
    """Whether azureml-core is installed: then nothing under its name is ours. Other packages share its top folder."""
    top = sys.modules.get(ROOT)
    if top is None or getattr(top.__spec__, "loader", None) is finder:
        return False
    core = sys.modules.get(f"{ROOT}.core")
    if core is not None:
        return getattr(core.__spec__, "loader", None) is not finder
    others = [each for each in sys.meta_path if not getattr(each, "is_studio_alias", False)]
    return any(each.find_spec(f"{ROOT}.core", list(top.__path__)) is not None for each in others)


def _say_what_instead(fullname: str) -> None:
    from studio_sdk.exceptions import NotAvailableImport

    name = fullname
    while name:
        if name in _UNAVAILABLE:
            raise NotAvailableImport(f"No module named {fullname!r}. {_UNAVAILABLE[name]}", name=fullname)
        name = name.rpartition(".")[0]


finder = _Finder()


def install() -> None:
    """Put the finder last, once."""
    if not any(getattr(each, "is_studio_alias", False) for each in sys.meta_path):
        sys.meta_path.append(finder)
