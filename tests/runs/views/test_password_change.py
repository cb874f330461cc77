"""A new password: other sessions end, and API tokens only where that was asked for."""

import pytest
from django.utils import timezone

from runs.actions import tokens
from tests import factories

NEW = {"new_password1": "a long pass phrase", "new_password2": "a long pass phrase"}


@pytest.fixture
def secrets(owner, team_mate, experiment):
    """The secrets of a token of the owner's own, of one of their runs, and of somebody else."""
    run = factories.run(experiment, by=owner, attempt_number=1)
    at = timezone.now()
    return [
        tokens.create_token(user=owner, name="laptop", at=at)[1],
        tokens.create_run_token(run=run, attempt_number=1, at=at)[1],
        tokens.create_token(user=team_mate, name="laptop", at=at)[1],
    ]


def good(secrets):
    return [tokens.authenticate(secret, at=timezone.now()) is not None for secret in secrets]


def test_tokens_are_left_alone_and_the_page_says_so(client_for, owner, secrets):
    answer = client_for(owner).post("/password/", {"old_password": "secret", **NEW}, follow=True)

    owner.refresh_from_db()
    assert owner.check_password("a long pass phrase")
    assert "Your API tokens still work" in answer.content.decode()
    assert good(secrets) == [True, True, True]


def test_tokens_are_revoked_where_that_was_asked_for_and_runs_go_on(client_for, owner, secrets):
    answer = client_for(owner).post(
        "/password/", {"old_password": "secret", **NEW, "revokes_tokens": "on"}, follow=True
    )

    assert "1 API token is revoked." in answer.content.decode()
    assert good(secrets) == [False, True, True]


def test_a_wrong_password_changes_nothing(client_for, owner, secrets):
    answer = client_for(owner).post("/password/", {"old_password": "wrong", **NEW, "revokes_tokens": "on"})

    assert answer.status_code == 422
    assert good(secrets) == [True, True, True]


def test_who_has_none_chooses_a_first_one(client_for, owner):
    owner.set_unusable_password()
    owner.save(update_fields=["password"])

    client_for(owner).post("/password/", NEW)

    owner.refresh_from_db()
    assert owner.check_password("a long pass phrase")
