"""Build the pipeline of pipeline.yml in Python, and run it: `studio exec -- python pipeline.py`."""

import argparse
from pathlib import Path

from azureml.core import Workspace
from azureml.pipeline.core import Pipeline, PipelineData, PipelineParameter
from azureml.pipeline.steps import PythonScriptStep

here = Path(__file__).parent
seed = PipelineParameter("seed", default_value=7)
models = PipelineParameter("models", default_value=["logistic", "forest", "neighbors"])
table, model, result, report = (PipelineData(name) for name in ("table", "model", "result", "report"))

prepare = PythonScriptStep(
    "prepare.py",
    name="prepare",
    source_directory=here / "prepare",
    arguments=["--seed", seed, "--out", table],
    requirements=["scikit-learn>=1.5,<2"],
    outputs=[table],
)
train = PythonScriptStep(
    "train.py",
    name="train",
    source_directory=here / "train",
    arguments=["--model", "${{ item.model }}", "--seed", seed, "--data", table, "--out", model],
    params={"model": "${{ item.model }}"},
    requirements=["scikit-learn>=1.5,<2"],
    inputs=[table],
    outputs=[model],
    for_each={"model": models},
)
compare = PythonScriptStep(
    "compare.py",
    name="compare",
    source_directory=here / "compare",
    arguments=["--models", model.as_input("models"), "--out", result],
    inputs=[model.as_input("models")],
    outputs=[result],
)
draw = PythonScriptStep(
    "report.py",
    name="report",
    source_directory=here / "report",
    arguments=["--result", result, "--out", report],
    requirements=["matplotlib>=3.8,<4"],
    inputs=[result],
    outputs=[report],
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--experiment", default="wine")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--regenerate-outputs", action="store_true", help="reuse no earlier result")
    arguments = parser.parse_args()
    pipeline = Pipeline(
        Workspace.from_config(),
        steps=[draw],
        name="wine",
        description="Trains three classifiers of wines side by side, compares them, and draws a report.",
    )
    run = pipeline.submit(
        arguments.experiment,
        pipeline_parameters={"seed": arguments.seed},
        regenerate_outputs=arguments.regenerate_outputs,
    )
    run.wait_for_completion(show_output=True)
