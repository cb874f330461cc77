"""Pipelines as they are built in Python: what they say to the server, and what is refused before it is asked."""

import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from studio_sdk import core
from studio_sdk.core import Environment, RunConfiguration
from studio_sdk.exceptions import NotAvailable, UserErrorException
from studio_sdk.pipeline import core as pipeline_core
from studio_sdk.pipeline import steps as pipeline_steps
from studio_sdk.pipeline.core import Pipeline, PipelineData, PipelineParameter, StepSequence
from studio_sdk.pipeline.steps import CommandStep, HyperDriveStep, PythonScriptStep

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "wine_pipeline"
PIPELINES = {"azureml.pipeline.core": pipeline_core, "azureml.pipeline.steps": pipeline_steps}


def document(*steps, **given):
    return Pipeline(None, steps=list(steps), **given)._document()


def test_data_makes_the_graph_and_the_last_step_brings_the_others():
    table, model = PipelineData("table"), PipelineData("model")
    PythonScriptStep("prepare.py", arguments=["--out", table], outputs=[table], source_directory="prepare")
    train = PythonScriptStep(
        "train.py", name="train it", arguments=["--data", table, "--out", model], inputs=[table], outputs=[model]
    )

    steps = document(train, default_source_directory="code")["steps"]

    assert steps == {
        "prepare.py": {
            "script": "prepare.py",
            "arguments": ["--out", "${{ outputs.table }}"],
            "source": "prepare",
            "outputs": ["table"],
        },
        "train-it": {
            "script": "train.py",
            "arguments": ["--data", "${{ inputs.table }}", "--out", "${{ outputs.model }}"],
            "source": "code",
            "inputs": {"table": "${{ steps.prepare.py.outputs.table }}"},
            "outputs": ["model"],
        },
    }


def test_two_folders_of_one_name_are_told_apart():
    first, second = PipelineData("model"), PipelineData("model")
    PythonScriptStep("train.py", outputs=[first])
    PythonScriptStep("train.py", outputs=[second])
    both = [first.as_input("first"), second.as_input("second")]
    compare = PythonScriptStep("compare.py", inputs=both, arguments=[*both])

    steps = document(compare)["steps"]

    assert list(steps) == ["train.py", "train.py-2", "compare.py"]
    assert steps["compare.py"]["inputs"] == {
        "first": "${{ steps.train.py.outputs.model }}",
        "second": "${{ steps.train.py-2.outputs.model }}",
    }
    assert steps["compare.py"]["arguments"] == ["${{ inputs.first }}", "${{ inputs.second }}"]


@pytest.mark.parametrize(
    ("default", "kind"),
    [(7, "integer"), (0.5, "number"), (True, "boolean"), ("a", "string"), ([1, 2], "list"), (None, "string")],
)
def test_a_parameter_has_the_type_of_its_default(default, kind):
    step = PythonScriptStep("a.py", arguments=["--x", PipelineParameter("x", default)])

    made = document(step)

    assert made["parameters"]["x"]["type"] == kind
    assert made["parameters"]["x"].get("default") == default
    assert made["steps"]["a.py"]["arguments"] == ["--x", "${{ parameters.x }}"]


def test_a_sequence_runs_one_group_after_the_other():
    a, b, c = (CommandStep(["echo", name], name=name) for name in "abc")

    steps = document(StepSequence(steps=[[a, b], c]))["steps"]

    assert [step.get("depends_on") for step in steps.values()] == [None, None, ["a", "b"]]


def test_order_without_data_and_no_closure():
    a, b = (CommandStep(f"echo {name}", name=name) for name in "ab")
    b.run_after(a)

    assert list(document(b)["steps"]) == ["a", "b"]
    assert document(a)["steps"]["a"]["command"] == ["/bin/sh", "-c", "echo a"]


def test_a_run_configuration_says_where_and_with_what():
    config = RunConfiguration()
    config.target = "gpu-compute"
    config.environment = Environment("e")
    config.environment.python.conda_dependencies.add_pip_package("numpy")
    config.environment_variables["A"] = "1"
    config.max_run_duration_seconds, config.max_retries = 60, 2

    step = document(PythonScriptStep("a.py", runconfig=config, allow_reuse=False, params={"p": 1}))["steps"]["a.py"]

    assert step["compute_target"] == "gpu-compute"
    assert step["requirements"][-1] == "numpy"
    assert (step["environment_variables"], step["max_run_duration_seconds"], step["retries"]) == ({"A": "1"}, 60, 2)
    assert (step["allow_reuse"], step["params"]) == (False, {"p": 1})


def test_a_fan_out_is_over_a_list_or_a_parameter():
    models = PipelineParameter("models", ["a", "b"])
    by_parameter = PythonScriptStep("a.py", for_each={"model": models}, arguments=["${{ item.model }}"])
    by_list = PythonScriptStep("b.py", for_each={"n": [1, 2]})

    made = document(by_parameter, by_list)

    assert [step["for_each"] for step in made["steps"].values()] == [
        {"model": "${{ parameters.models }}"},
        {"n": [1, 2]},
    ]
    assert made["parameters"]["models"] == {"type": "list", "default": ["a", "b"]}


def test_yaml_names_folders_from_where_it_lies(folder):
    pipeline = Pipeline(None, steps=[PythonScriptStep("a.py", source_directory="code/a")], name="p")
    (folder / "made").mkdir()

    pipeline.to_yaml("made/pipeline.yml")

    assert "source: ../code/a" in (folder / "made" / "pipeline.yml").read_text()


def test_the_example_says_the_same_in_python_and_in_yaml(monkeypatch):
    for name, own in {"azureml": None, "azureml.core": core, "azureml.pipeline": None, **PIPELINES}.items():
        monkeypatch.setitem(sys.modules, name, own or ModuleType(name))
    built = runpy.run_path(str(EXAMPLE / "pipeline.py"))

    made = document(built["draw"], name="wine", default_source_directory=EXAMPLE)

    written = yaml.safe_load((EXAMPLE / "pipeline.yml").read_text())
    for name, step in made["steps"].items():
        assert step.pop("source") == str(EXAMPLE / written["steps"][name].pop("source"))
    assert made["steps"] == written["steps"]
    assert made["parameters"] == written["parameters"]


def test_data_without_a_writer_or_a_reader_is_refused():
    loose, table = PipelineData("loose"), PipelineData("table")
    PythonScriptStep("prepare.py", outputs=[table])
    reader = PythonScriptStep("train.py", inputs=[table])

    with pytest.raises(UserErrorException, match="which no step has among its outputs"):
        document(PythonScriptStep("a.py", inputs=[loose]))
    with pytest.raises(UserErrorException, match="neither among its inputs nor its outputs"):
        document(PythonScriptStep("a.py", arguments=[loose]))
    with pytest.raises(UserErrorException, match="not in the pipeline"):
        document(reader, resolve_closure=False)
    with pytest.raises(UserErrorException, match="a folder has one writer"):
        PythonScriptStep("b.py", outputs=[table])
    with pytest.raises(UserErrorException, match=r"as_input\('other_name'\)"):
        PythonScriptStep("c.py", inputs=[table, PipelineData("table")])


def test_what_is_no_step_and_what_is_not_here_say_so():
    with pytest.raises(UserErrorException, match="no step of a pipeline"):
        Pipeline(None, steps=["train.py"])
    with pytest.raises(NotAvailable, match="for_each"):
        HyperDriveStep(name="x")
    with pytest.raises(UserErrorException, match="expected PipelineData"):
        PythonScriptStep("a.py", inputs=[object()])
    with pytest.raises(UserErrorException, match="Two parameters"):
        document(CommandStep(["a", PipelineParameter("x", 1), PipelineParameter("x", 2)]))
