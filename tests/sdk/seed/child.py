import argparse

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--fruit")
arguments = parser.parse_args()

## In child run script
child_run = Run.get_context()
child_run.parent.id

child_run.log("fruit", arguments.fruit)
print(f"child of {child_run.parent.id} with {arguments.fruit}")
