"""YAML files: written by a few lines of our own, read as JSON (which is YAML) or with PyYAML where it is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from studio_sdk.exceptions import UserErrorException

# A text that YAML would not read as something else.
_PLAIN = re.compile(r"[A-Za-z_./][\w./ +@=~<>-]*(?<! )")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "none", "y", "n"})


def read(path: Path) -> Any:
    """Return the content of a YAML or JSON file. Raises UserErrorException."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserErrorException(f"{path} can not be read: {error.strerror}.") from error
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> Any:
    """Return the content of YAML or JSON text. Raises UserErrorException."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        import yaml
    except ImportError as error:
        raise UserErrorException(
            f"Reading {name} needs PyYAML in this environment (pip install pyyaml), or write the file as JSON."
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserErrorException(f"{name} is no YAML: {error}.") from error


def dump(content: Any) -> str:
    """Return dicts, lists and scalars as YAML, in the order in which they stand."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Any) -> list[str]:
    lines: list[str] = []
    if isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, (dict, list)) and value:
                nested = _lines(value)
                indent = "" if isinstance(value, list) else "  "
                lines += [f"{_scalar(key)}:", *(indent + line for line in nested)]
            else:
                lines.append(f"{_scalar(key)}: {_scalar(value)}")
        return lines
    for item in content:
        if isinstance(item, (dict, list)) and item:
            first, *rest = _lines(item)
            lines += [f"- {first}", *(f"  {line}" for line in rest)]
        else:
            lines.append(f"- {_scalar(item)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value)
