import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client


def test_prints_a_link_that_signs_the_administrator_in(admin: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sign_in_link")

    link = capsys.readouterr().out.strip()
    client = Client()
    client.get(link)
    client.post(link)
    assert client.session["_auth_user_id"] == str(admin.pk)


def test_the_link_is_at_the_address_of_the_settings(
    admin: User, settings: LazySettings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.STUDIO_URL = "https://studio.example.org"

    call_command("sign_in_link", "ada")

    assert capsys.readouterr().out.startswith("https://studio.example.org/sign-in/")


def test_an_unknown_user_is_refused_with_the_names_that_there_are(admin: User) -> None:
    with pytest.raises(CommandError, match=r"no active user 'eve'; there are: ada"):
        call_command("sign_in_link", "eve")


def test_a_user_who_may_not_sign_in_gets_no_link(admin: User) -> None:
    User.objects.filter(pk=admin.pk).update(is_active=False)

    with pytest.raises(CommandError, match="no active user"):
        call_command("sign_in_link", "ada")


def test_without_an_administrator_it_says_what_to_do(db: None) -> None:
    with pytest.raises(CommandError, match="no active administrator"):
        call_command("sign_in_link")
