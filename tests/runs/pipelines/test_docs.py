"""docs/pipelines.md says what is so."""

import re
from pathlib import Path

from runs import limits
from runs.pipelines import definition
from runs.pipelines.nodes import Step

TEXT = Path(__file__).resolve().parents[3].joinpath("docs/pipelines.md").read_text()
EXAMPLE = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1]


def test_the_example_is_a_pipeline():
    assert [step.name for step in definition.from_yaml(EXAMPLE).steps] == ["prepare", "train", "compare"]


def test_every_field_is_in_the_example_and_in_the_schema():
    fields = {name for name in Step.__dataclass_fields__ if name not in ("name", "snapshot", "interpreter_path")}
    schema = definition.JSON_SCHEMA["properties"]["steps"]["additionalProperties"]["properties"]

    assert [name for name in fields if f"    {name}: " not in EXAMPLE] == []
    assert set(schema) == set(Step.__dataclass_fields__) - {"name"}
    assert [name for name in definition.JSON_SCHEMA["properties"] if f"{name}:" not in EXAMPLE] == []


def test_the_limits_are_those_of_the_code():
    assert f"{limits.PIPELINE_STEPS:,} step runs" in TEXT
    assert f"{limits.PIPELINE_LENGTH:,} characters" in TEXT
