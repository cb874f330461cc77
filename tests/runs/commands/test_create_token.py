import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from runs.actions import tokens
from runs.models import ApiToken


def test_prints_the_token_and_nothing_else(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "olivia", "--name", "laptop")

    [secret] = capsys.readouterr().out.splitlines()
    token = tokens.authenticate(secret, at=timezone.now())
    assert token is not None
    assert (token.user, token.name) == (owner, "laptop")


def test_stores_no_secret(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "olivia")

    secret = capsys.readouterr().out.strip()
    [row] = ApiToken.objects.values()
    assert secret not in str(row)


def test_an_unknown_user_is_refused(owner: User) -> None:
    with pytest.raises(CommandError, match="no active user 'eve'"):
        call_command("create_token", "eve")


def test_a_name_that_is_too_long_is_refused(owner: User) -> None:
    with pytest.raises(CommandError, match="name"):
        call_command("create_token", "olivia", "--name", "x" * 101)
