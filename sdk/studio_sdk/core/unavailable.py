"""Names of Azure ML's SDK that Studio does not have: using one says what to use instead."""

from __future__ import annotations

from typing import Any, NoReturn

from studio_sdk.exceptions import NotAvailable


class _SaysSo(type):
    """The type of a class that is not here."""

    _instead: str

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotAvailable(f"Studio has no {cls.__name__}. {cls._instead}")

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotAvailable(f"Studio has no {cls.__name__}. {cls._instead}")


_FILES = "Read files where they lie, or put them into the source directory; results belong into ./outputs."
_MODELS = "A model is a file among the outputs of its run: run.upload_file('outputs/model.pkl', path)."
_SERVING = "Studio trains and keeps records; serve the model file with a tool of your choice."


class Dataset(metaclass=_SaysSo):
    """Not available."""

    _instead = _FILES


class Datastore(metaclass=_SaysSo):
    """Not available."""

    _instead = _FILES


class Model(metaclass=_SaysSo):
    """Not available."""

    _instead = _MODELS


class Image(metaclass=_SaysSo):
    """Not available."""

    _instead = _SERVING


class Webservice(metaclass=_SaysSo):
    """Not available."""

    _instead = _SERVING


class Keyvault(metaclass=_SaysSo):
    """Not available."""

    _instead = "Give secrets to the worker's environment and name them in STUDIO_PASS_ENVIRONMENT."
