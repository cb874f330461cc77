"""The door for programs: checks, one call of an action, a shape. No models of its own, no decisions."""

from typing import Any

from ninja.operation import Operation

_make_response_model = Operation._create_response_model
_response_models: dict[Any, Any] = {}


def _share_response_model(operation: Operation, response: Any) -> Any:
    if response not in _response_models:
        _response_models[response] = _make_response_model(operation, response)
    return _response_models[response]


# Ninja makes a model for each status of each operation, hundreds of which say "a refusal": 15 MiB of validators, and
# most of what loading the pages takes.
Operation._create_response_model = _share_response_model  # type: ignore[assignment, method-assign]
