"""The JSON Schema of a pipeline's document, published for editors and other programs. Pure."""

from typing import Any

from runs import limits
from runs.pipelines import values

_SCALAR = {"type": ["string", "number", "boolean"]}
_SCALARS = {"type": "array", "items": _SCALAR}
_NAME = "^[A-Za-z0-9_-]{1,100}$"
_STEP_NAME = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
_TARGET = {"type": "string", "maxLength": limits.COMPUTE_TARGET_NAME_LENGTH}


def _names(pattern: str) -> dict[str, Any]:
    return {"type": "array", "uniqueItems": True, "items": {"type": "string", "pattern": pattern}}


def _told(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


def _mapping(of: dict[str, Any], description: str, pattern: str = "") -> dict[str, Any]:
    names = {"propertyNames": {"pattern": pattern}} if pattern else {}
    return {"type": "object", "additionalProperties": of, **names, "description": description}


_STEP: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": ["script"]}, {"required": ["command"]}],
    "properties": {
        "script": _told({"type": "string", "minLength": 1}, "A Python file of the snapshot."),
        "command": _told({**_SCALARS, "minItems": 1}, "A command line, instead of a script."),
        "source": _told(
            {"type": "string"}, "A folder beside the YAML file; the client uploads it and puts `snapshot` in its place."
        ),
        "snapshot": _told({"type": "string"}, "The id of a stored source folder."),
        "arguments": _told(_SCALARS, "Words that follow the script or command."),
        "params": _mapping(_SCALAR, "Recorded as params of the step's run."),
        "environment_variables": _mapping(_SCALAR, "Set for the step."),
        "requirements": _told(
            {"type": ["string", "array"], "items": {"type": "string"}},
            "A requirements file of the snapshot, or a list of requirement lines.",
        ),
        "interpreter_path": _told({"type": "string"}, "A Python interpreter on the worker's machine."),
        "compute_target": _told(_TARGET, "Where it runs, if not at the default compute target."),
        "inputs": _mapping(
            {"type": "string", "pattern": r"^\s*\$\{\{\s*steps\..+\.outputs\.[A-Za-z0-9_-]+\s*\}\}\s*$"},
            "Names of folders, each an output of another step: ${{ steps.<step>.outputs.<name> }}.",
            _NAME,
        ),
        "outputs": _told(_names(_NAME), "Names of folders that it leaves, each below `outputs/`."),
        "depends_on": _told(_names(_STEP_NAME), "Steps that must have ended before, where no data says so."),
        "for_each": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": {"pattern": _NAME},
            "additionalProperties": {
                "anyOf": [
                    {**_SCALARS, "minItems": 1},
                    {"type": "string", "pattern": r"^\s*\$\{\{\s*parameters\.[A-Za-z0-9_-]+\s*\}\}\s*$"},
                ]
            },
            "description": "A run of this step per value of a list: ${{ item.<name> }} is the value.",
        },
        "retries": {
            "type": "integer",
            "minimum": 0,
            "maximum": 100,
            "description": "How often it is tried again after a failure.",
        },
        "max_run_duration_seconds": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": limits.RUN_DURATION_SECONDS,
            "description": "After so long it is stopped.",
        },
        "allow_reuse": _told({"type": "boolean", "default": True}, "Whether an earlier equal result may serve."),
        "continue_on_failure": _told(
            {"type": "boolean", "default": False}, "Whether its failure stops neither what depends on it nor the rest."
        ),
    },
}

JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Studio pipeline",
    "description": "A graph of steps that workers execute.",
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "steps"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": limits.DISPLAY_NAME_LENGTH},
        "description": {"type": "string", "maxLength": limits.DESCRIPTION_LENGTH},
        "default_compute_target": _told(_TARGET, "Where steps run that name no compute target."),
        "parameters": _mapping(
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["type"],
                "properties": {
                    "type": {"enum": list(values.TYPES)},
                    "default": _told(
                        {"type": ["string", "number", "boolean", "array", "null"], "items": _SCALAR},
                        "Without one, each submission must set it.",
                    ),
                },
            },
            "Values that a submission may set: ${{ parameters.<name> }}.",
            _NAME,
        ),
        "steps": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": limits.PIPELINE_STEPS,
            "propertyNames": {"pattern": _STEP_NAME},
            "additionalProperties": _STEP,
        },
        "continue_on_step_failure": _told(
            {"type": "boolean", "default": False},
            "Whether a failed step stops only what depends on it, instead of everything that has not started.",
        ),
    },
}
