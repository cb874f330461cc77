"""Login is the default: a new address is refused to strangers until somebody lists it here."""

import re

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

# What anybody may ask for, and why.
PUBLIC = {
    "sign_in": "where one signs in",
    "sign_in_link": "so does the link that `up` prints",
    "set_language": "keeps a language in a cookie, for the sign-in page",
    "healthz": "asked by process managers",
    "readyz": "asked by process managers",
    "mlflow_health": "asked by MLflow's clients, and tells nothing",
    "mlflow_version": "asked by MLflow's clients: the version whose calls are answered",
    "admin:login": "redirects to its own sign-in form",
    "admin:jsi18n": "a catalog of words",
}
# The API and the admin refuse by themselves; tests/api and Django's own tests show how.
OWN_DOORS = ("api/", "ajax-api/", "w/1/api/", "w/1/ajax-api/")

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def addresses(resolver=None, prefix="", namespace=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + re.sub(r"[\^$]|\\Z|\\", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern, route, inner)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}", "/" + re.sub(r"<[^>]+>|\([^)]*\)[?*+]?", "1", route)


def is_refused(answer):
    if answer.status_code == 302:
        return answer["Location"].startswith(("/sign-in/", "/admin/login/"))
    return answer.status_code in (401, 403, 405)


CLOSED = [
    (name, address)
    for name, address in addresses()
    if name not in PUBLIC and not address.lstrip("/").startswith(OWN_DOORS)
]


@pytest.mark.parametrize("method", METHODS)
def test_no_page_answers_a_stranger(method, db):
    answers = {(name, address): getattr(Client(enforce_csrf_checks=True), method)(address) for name, address in CLOSED}

    # A 404 would hide a mistake of this test: whoever is not signed in learns nothing, not even that.
    open_doors = {key: answer.status_code for key, answer in answers.items() if not is_refused(answer)}
    assert CLOSED
    assert not open_doors
