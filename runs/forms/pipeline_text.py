"""Fields of a step as text that one types into a form, and back. static/js/designer/fields.js does the same."""

import json
import re
from collections.abc import Mapping
from typing import Any

from runs.pipelines import references, values

_PARAMETER = re.compile(r"parameters\.([A-Za-z0-9_-]+)")


def write(kind: str, value: Any) -> str:
    """Return the text of a value: one word, pair or wire on each line."""
    if value is None or value == "":
        return ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(_quoted(str(word)) for word in value)
    if kind == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{name}={_quoted(_word(each))}" for name, each in value.items())
    if kind == "names" and isinstance(value, list):
        return ", ".join(str(name) for name in value)
    if kind == "wires" and isinstance(value, Mapping):
        return "\n".join(f"{name} = {_wire(each)}".rstrip() for name, each in value.items())
    if kind == "each" and isinstance(value, Mapping) and len(value) == 1:
        [(name, listed)] = value.items()
        named = references.whole(listed) if isinstance(listed, str) else None
        return f"{name} = {f'parameters.{named.name}' if named else json.dumps(listed, ensure_ascii=False)}"
    if kind == "requirements" and isinstance(value, list):
        return "\n".join(str(line) for line in value)
    if kind == "parameters" and isinstance(value, Mapping):
        return "\n".join(_parameter(name, each) for name, each in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(kind: str, text: str) -> Any:
    """Return the value of a text, or None if the field is empty."""
    text = text.replace("\r\n", "\n")
    if not text.strip():
        return None
    rows = [line for line in text.split("\n") if line.strip()]
    if kind == "lines":
        return [_unquoted(line) for line in rows]
    if kind == "pairs":
        return {name: _unquoted(value) for name, value in (_pair(row) for row in rows)}
    if kind == "names":
        return re.split(r"[\s,]+", text.strip(" \t\n,"))
    if kind == "wires":
        return {name: _source(value) for name, value in (_pair(row) for row in rows)}
    if kind == "each":
        name, value = _pair(text.strip())
        return {name: _listed(value)}
    if kind == "requirements" and len(rows) > 1:
        return rows
    if kind == "parameters":
        return dict(_declared(row) for row in rows)
    return text.strip()


def _parameter(name: str, declared: Any) -> str:
    declared = declared if isinstance(declared, Mapping) else {}
    default = declared.get("default")
    return f"{name}: {declared.get('type', 'string')}" + ("" if default is None else f" = {_quoted(_word(default))}")


def _declared(line: str) -> tuple[str, dict[str, Any]]:
    head, equals, default = line.partition("=")
    name, _colon, kind = head.partition(":")
    declared: dict[str, Any] = {"type": kind.strip() or "string"}
    if equals:
        text = _unquoted(default)
        declared["default"] = text if declared["type"] == "string" else _typed(declared["type"], text)
    return name.strip(), declared


def _typed(kind: str, text: str) -> Any:
    try:
        return values.read(text, kind)
    except (ValueError, KeyError):
        return _listed(text) if kind == "list" else text


def _pair(line: str) -> tuple[str, str]:
    name, _equals, value = line.partition("=")
    return name.strip(), value.strip()


def _wire(value: Any) -> str:
    source = references.output_of(value) if isinstance(value, str) else None
    return ".".join(source) if source else str(value)


def _source(text: str) -> str:
    step, _dot, output = text.rpartition(".")
    return references.to_output(step, output) if step and not text.startswith("${{") else text


def _listed(text: str) -> Any:
    if match := _PARAMETER.fullmatch(text):
        return f"${{{{ parameters.{match[1]} }}}}"
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text if text.startswith("${{") else [_scalar(part.strip()) for part in text.split(",") if part.strip()]


def _scalar(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | str) else text


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _quoted(word: str) -> str:
    """Return a word as JSON where its line would not give it back."""
    return (
        json.dumps(word, ensure_ascii=False)
        if not word or word != word.strip() or "\n" in word or word[0] == '"'
        else word
    )


def _unquoted(line: str) -> str:
    line = line.strip()
    if line[:1] == '"':
        try:
            value = json.loads(line)
        except ValueError:
            return line
        return value if isinstance(value, str) else line
    return line
