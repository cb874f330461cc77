"""Runs at the start of an interpreter that has this folder on PYTHONPATH: there `azureml` means Studio's client.

Works in any Python 3, imports next to nothing, and gives way to whatever else is called sitecustomize.
"""

import os
import sys


class _UntilAsked:
    """Stands last on sys.meta_path, and loads the real finder when somebody asks for `azureml`."""

    is_studio_alias = True

    def find_spec(self, fullname, path=None, target=None):
        """Pass a name of `azureml` on to `studio_sdk`'s own finder."""
        if fullname != "azureml" and not fullname.startswith("azureml."):
            return None
        try:
            from studio_sdk import _alias
        except ImportError:
            # In an environment without the client, use the one beside this file, after everything else.
            root = os.path.dirname(os.path.dirname(_HERE))
            if root in sys.path:
                return None
            sys.path.append(root)
            from studio_sdk import _alias
        if self in sys.meta_path:
            sys.meta_path[sys.meta_path.index(self)] = _alias.finder
        return _alias.finder.find_spec(fullname, path, target)


def _give_way():
    """Run the sitecustomize that this one hides."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    others = [path for path in sys.path if os.path.abspath(path or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


_HERE = os.path.dirname(os.path.abspath(__file__))
sys.meta_path.append(_UntilAsked())
_give_way()
