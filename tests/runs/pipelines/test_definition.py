import time

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runs.pipelines import definition
from runs.pipelines.definition import BadPipeline, Definition, ForEach, Input, Parameter, Step

PENGUINS = """\
name: penguins
default_compute_target: local
parameters:
  seed: {type: integer, default: 7}
  models: {type: list, default: [ridge, forest]}
steps:
  prepare:
    script: prepare.py
    snapshot: abc
    arguments: ["--seed", "${{ parameters.seed }}", --out, "${{ outputs.table }}"]
    outputs: [table]
  train:
    command: [python, -m, train]
    params: {model: "${{ item.model }}", depth: 3}
    environment_variables: {TABLE: "${{ inputs.table }}"}
    inputs: {table: "${{ steps.prepare.outputs.table }}"}
    outputs: [model]
    for_each: {model: "${{ parameters.models }}"}
    retries: 2
    continue_on_failure: true
  report:
    command: [cat]
    depends_on: [train]
    for_each: {n: [1, 2.5, x, true]}
"""


def refused(text: str) -> list[str]:
    with pytest.raises(BadPipeline) as caught:
        definition.from_yaml(text)
    return [str(problem) for problem in caught.value.problems]


def test_yaml_is_read_into_steps_and_parameters() -> None:
    penguins = definition.from_yaml(PENGUINS)

    assert penguins.name == "penguins"
    assert penguins.parameters == (
        Parameter("seed", "integer", 7),
        Parameter("models", "list", ("ridge", "forest")),
    )
    assert [step.name for step in penguins.steps] == ["prepare", "train", "report"]
    assert penguins.step("train") == Step(
        name="train",
        command=("python", "-m", "train"),
        params={"model": "${{ item.model }}", "depth": 3},
        environment_variables={"TABLE": "${{ inputs.table }}"},
        inputs={"table": Input("prepare", "table")},
        outputs=("model",),
        for_each=ForEach("model", parameter="models"),
        retries=2,
        continue_on_failure=True,
    )
    assert penguins.parents == {"prepare": (), "train": ("prepare",), "report": ("train",)}


def test_yaml_and_document_say_the_same_and_keep_their_order() -> None:
    penguins = definition.from_yaml(PENGUINS)

    assert definition.from_yaml(penguins.to_yaml()) == penguins
    assert definition.from_document(penguins.to_document()) == penguins
    assert penguins.to_document() == yaml.safe_load(PENGUINS)
    assert list(yaml.safe_load(penguins.to_yaml())) == ["name", "default_compute_target", "parameters", "steps"]


def test_every_problem_is_told_at_once_with_its_step_and_line() -> None:
    assert refused(
        """\
name: x
steps:
  a:
    script: a.py
    snapsot: s
  b:
    command: [x]
    retries: many
    inputs:
      t: steps.a
  "c d": {command: [x]}
"""
    ) == [
        "steps.a.snapsot (line 5): There is no field 'snapsot'; did you mean 'snapshot'?",
        "steps.b.retries (line 8): Expected a whole number from 0 to 100.",
        "steps.b.inputs.t (line 10): Expected an output of a step: ${{ steps.<step>.outputs.<name> }}.",
        "steps.c d (line 11): 'c d' is no name: expected 1 to 100 letters, digits, `_`, `-` and `.`.",
    ]


def test_names_that_do_not_exist_are_told_with_the_nearest_one() -> None:
    assert refused(
        """\
name: x
parameters: {seed: {type: integer}}
steps:
  prepare: {command: [x], outputs: [table]}
  train:
    command: [x]
    arguments: ["${{ parameters.sed }}", "${{ nothing }}"]
    inputs: {a: "${{ steps.prepare.outputs.tabel }}", b: "${{ steps.prepar.outputs.table }}"}
    depends_on: [missing]
    for_each: {s: "${{ parameters.seed }}"}
"""
    ) == [
        "steps.train.arguments.0 (line 7): There is no parameters.sed; did you mean 'seed'?",
        "steps.train.arguments.1 (line 7): '${{ nothing }}' names nothing; expected parameters.<name>, inputs.<name>,"
        " outputs.<name> or item.<name>.",
        "steps.train.inputs.a (line 8): The step 'prepare' has no output 'tabel'; did you mean 'table'?",
        "steps.train.inputs.b (line 8): There is no step 'prepar'; did you mean 'prepare'?",
        "steps.train.depends_on.0 (line 9): There is no step 'missing'.",
        "steps.train.for_each.s (line 10): The parameter 'seed' is of type integer; expected list.",
    ]


def test_a_cycle_is_named_step_by_step() -> None:
    [problem] = refused(
        """\
name: x
steps:
  a: {command: [x], depends_on: [c]}
  b: {command: [x], depends_on: [a]}
  c: {command: [x], depends_on: [b]}
"""
    )

    assert "These steps wait for each other: " in problem
    assert problem.split(": ")[-1] in ("a → b → c → a.", "b → c → a → b.", "c → a → b → c.")


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    assert refused("name: x\nsteps: {a: {command: [x], depends_on: [a]}}") == [
        "steps.a.depends_on (line 2): These steps wait for each other: a → a."
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expected a mapping with `name` and `steps`."),
        ("- 1", "(line 1)"),
        ("name: [", "This is no YAML"),
        ("name: \x07", "This is no YAML"),
        ("name: x\nsteps: {}", "A pipeline has at least one step."),
        ("steps: {a: {command: [x]}}", "A pipeline has a name."),
        ("name: x\nsteps:\n  a: {command: [x]}\n  a: {command: [x]}", "'a' stands here twice; first in line 3."),
        ("name: x\nsteps: {a: {}}", "Expected either a script or a command."),
        ("name: x\nsteps: {a: {script: a.py}}", "needs a snapshot"),
        ("name: x\nsteps: {a: {script: a.py, snapshot: s, source: .}}", "either a source folder or a snapshot"),
        ("name: x\nsteps: {a: {command: x}}", "Expected a list."),
        ("name: x\nsteps: {a: {command: [x], allow_reuse: maybe}}", "Expected true or false."),
        ("name: x\nsteps: {a: {command: [x], outputs: [a-b, a_b]}}", "STUDIO_OUTPUT_A_B"),
        ("name: x\nsteps: {a: {command: [x], outputs: [../x]}}", "is no name"),
        ("name: x\nsteps: {a: {command: [x], outputs: [o, o]}}", "stands here twice"),
        ("name: x\nsteps: {a: {command: [x], for_each: {a: [1], b: [2]}}}", "Expected one name with a list"),
        ("name: x\nsteps: {a: {command: [x], for_each: {a: []}}}", "Expected one name with a list"),
        ("name: x\nsteps: {a: {command: [x], params: {p: .nan}}}", "Expected a text, a number, true or false."),
        ("name: x\nparameters: {p: {type: int}}\nsteps: {a: {command: [x]}}", "did you mean 'integer'?"),
        ("name: x\nparameters: {p: {type: integer, default: 1.5}}\nsteps: {a: {command: [x]}}", "is no integer."),
        ("name: &a [*a]\nsteps: {a: {command: [x]}}", "nested too deep"),
        ("name: !!python/name:os.system x\nsteps: {a: {command: [x]}}", "This is no YAML"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, problem: str) -> None:
    assert problem in " ".join(refused(text))


def test_aliases_cannot_make_much_out_of_little() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert "aliases make it too large" in " ".join(refused("\n".join(lines)))


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("integer", "7", 7),
        ("integer", 7, 7),
        ("number", "1e-3", 0.001),
        ("number", 3, 3),
        ("boolean", "True", True),
        ("string", "7", "7"),
        ("list", '[1, "a"]', [1, "a"]),
        ("list", ("a",), ["a"]),
    ],
)
def test_a_parameter_reads_values_and_their_text(kind: str, value: object, read: object) -> None:
    assert Parameter("p", kind).read(value) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", True), ("integer", "1.5"), ("number", "nan"), ("boolean", 1), ("string", 1), ("list", "a")],
)
def test_a_parameter_refuses_what_is_of_another_type(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"is no {kind}; expected"):
        Parameter("p", kind).read(value)


def test_a_thousand_steps_are_read_quickly() -> None:
    steps = {f"s{n}": {"command": ["x"], "depends_on": [f"s{n - 1}"] if n else []} for n in range(1000)}
    text = yaml.safe_dump({"name": "x", "steps": steps})
    began = time.process_time()

    definition.from_yaml(text)

    assert time.process_time() - began < 1


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00$"), max_size=10)
_scalar = st.one_of(
    _text, st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)
)
_names = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), unique_by=lambda n: n.replace("-", "_").upper())


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 5))):
        before = [step for step in steps if draw(st.booleans())]
        steps.append(
            Step(
                name=f"s{number}.{draw(st.sampled_from('abc'))}",
                command=tuple(draw(st.lists(_text.filter(bool), min_size=1, max_size=3))),
                params=draw(st.dictionaries(_text.filter(bool), _scalar, max_size=3)),
                environment_variables=draw(st.dictionaries(_text.filter(bool), _text, max_size=2)),
                inputs={f"i{n}": Input(step.name, step.outputs[0]) for n, step in enumerate(before) if step.outputs},
                outputs=tuple(draw(_names)),
                depends_on=tuple(step.name for step in before if not step.outputs),
                for_each=draw(st.none() | st.lists(_scalar, min_size=1).map(lambda v: ForEach("it", tuple(v)))),
                retries=draw(st.integers(0, 100)),
                allow_reuse=draw(st.booleans()),
            )
        )
    default = draw(st.lists(_scalar, max_size=3).map(tuple))
    return Definition(
        name=draw(_text.filter(str.strip)).strip(),
        description=draw(_text),
        steps=tuple(steps),
        parameters=(Parameter("p", "list", default),) if draw(st.booleans()) else (),
    )


@given(definitions())
def test_any_definition_survives_yaml_and_its_schema(drawn: Definition) -> None:
    again = definition.from_yaml(drawn.to_yaml())

    assert again == drawn
    assert jsonschema_rs.is_valid(definition.JSON_SCHEMA, drawn.to_document())


def test_the_schema_accepts_the_example_and_refuses_a_wrong_field() -> None:
    document = yaml.safe_load(PENGUINS)

    assert jsonschema_rs.is_valid(definition.JSON_SCHEMA, document)
    document["steps"]["train"]["retires"] = 1
    assert not jsonschema_rs.is_valid(definition.JSON_SCHEMA, document)
