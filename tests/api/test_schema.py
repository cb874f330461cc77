"""The API keeps its own OpenAPI schema: schemathesis asks every operation for sense and for nonsense."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings

from runs import storage
from runs.actions import recording, tokens
from runs.api.v1.api import api
from runs.models import RunType
from runs.status import RunStatus
from studio.wsgi import application
from tests import factories

schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)

CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]


@pytest.fixture
def names(experiment, owner, local, noon):
    """What the addresses may name that is there."""
    run = factories.run(experiment, by=owner, status=RunStatus.RUNNING, run_type=RunType.INTERACTIVE)
    factories.run(experiment, by=owner, parent=run, status=RunStatus.COMPLETED)
    recording.log_metrics(run=run, points=[recording.Point("loss", value=1)], at=noon)
    recording.save_artifact(run=run, path="loss", chunks=[b"1"], at=noon)
    storage.append_log(run.pk, "loss", b"hello\n", offset=0)
    return {"run_id": run.run_id, "path": "loss", "name": "loss"}


@pytest.fixture
def bearer(owner, monkeypatch):
    """A header that lets in; and no request closes the connection in which the test's transaction is open."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield {"Authorization": f"Bearer {tokens.create_token(user=owner, name='x', at=timezone.now())[1]}"}
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.mark.slow
@schema.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_an_operation_keeps_its_schema(case, names, bearer):
    for name, value in names.items():
        if name in case.path_parameters and len(str(case.path_parameters[name])) % 2:
            case.path_parameters[name] = value

    case.call_and_validate(headers=bearer, checks=CHECKS)


def test_every_operation_says_what_it_takes_and_how_it_refuses():
    paths = api.get_openapi_schema()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    open_to_all = [(verb, path) for path in paths for verb, op in paths[path].items() if not op.get("security")]

    assert all(operation["summary"] and operation["description"] for operation in operations)
    assert all({401, 404, 422} <= set(operation["responses"]) for operation in operations)
    # Who signs in has no token yet: a code that works once stands for it.
    assert open_to_all == [("post", "/api/v1/login")]


def test_all_operations_share_what_describes_a_refusal():
    operations = [
        operation
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
    ]

    refusals = {operation.response_models[404] for operation in operations if 404 in operation.response_models}

    assert len(operations) > 50
    assert len(refusals) == 1
