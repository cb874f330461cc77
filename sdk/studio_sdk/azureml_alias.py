"""Import this to have `azureml` mean Studio's client, where the real one is not installed.

>>> import studio_sdk.azureml_alias
>>> from azureml.core import Workspace, Experiment, Run
"""

from studio_sdk import _alias

_alias.install()
