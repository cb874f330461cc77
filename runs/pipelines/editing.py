"""Changes of a document that reach from one step to others: a step renamed or taken out. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from runs.pipelines import references

Document = dict[str, Any]


def renamed(document: Mapping[str, Any], names: Mapping[str, str]) -> Document:
    """Return the document with steps called anew, also where others name them."""
    steps = {}
    for name, step in document["steps"].items():
        changed = dict(step)
        if isinstance(step.get("inputs"), Mapping):
            changed["inputs"] = {port: _renamed(value, names) for port, value in step["inputs"].items()}
        if isinstance(step.get("depends_on"), list):
            changed["depends_on"] = [names.get(each, each) for each in step["depends_on"]]
        steps[names.get(name, name)] = changed
    return {**document, "steps": steps}


def without(document: Mapping[str, Any], gone: Collection[str]) -> Document:
    """Return the document without some steps; inputs that came from them stay, and lead nowhere."""
    steps = {}
    for name, step in document["steps"].items():
        if name in gone:
            continue
        changed = dict(step)
        if isinstance(step.get("inputs"), Mapping):
            changed["inputs"] = {
                port: "" if _source(value) in gone else value for port, value in step["inputs"].items()
            }
        if isinstance(step.get("depends_on"), list):
            changed["depends_on"] = [each for each in step["depends_on"] if each not in gone]
        steps[name] = changed
    return {**document, "steps": steps}


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return `wanted`, or with the first number that makes it a new name."""
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _source(value: Any) -> str:
    found = references.output_of(value) if isinstance(value, str) else None
    return found[0] if found else ""


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    found = references.output_of(value) if isinstance(value, str) else None
    return references.to_output(names[found[0]], found[1]) if found and found[0] in names else value
