"""Every variable that the settings read is in `.env.example`, and nothing else is."""

import ast
import itertools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_env_example_lists_every_variable_that_the_settings_read() -> None:
    calls = [node for node in ast.walk(ast.parse((ROOT / "studio/settings.py").read_text())) if _reads_variable(node)]
    read = {call.args[0].value for call in calls}

    listed = re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(read)


def test_every_variable_is_explained() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    unexplained = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r"# [A-Z][A-Z0-9_]+=", line) and not before.startswith("# ")
    ]

    assert unexplained == []


def _reads_variable(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
    )
