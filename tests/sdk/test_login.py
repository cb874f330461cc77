"""`studio login`: a token given, or a browser that hands one over."""

import json
import os
import pty
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client as Browser

from runs.models import ApiToken
from studio_sdk.cli import hand_over
from tests.sdk.test_cli import start

pytestmark = pytest.mark.process


@pytest.fixture
def opened(folder, monkeypatch) -> Path:
    """The file in which a browser that shows nothing keeps the address it was opened with."""
    opened, opener = folder / "opened", folder / "opener.py"
    opener.write_text(f"import pathlib, sys\npathlib.Path({str(opened)!r}).write_text(sys.argv[1])")
    monkeypatch.setenv("BROWSER", f"{sys.executable} {opener} %s")
    return opened


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Standard input that is a terminal, and the keyboard before it."""
    keyboard, terminal = pty.openpty()
    yield terminal, keyboard
    os.close(keyboard)
    os.close(terminal)


def _wait_for(file: Path) -> str:
    ends_at = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    return file.read_text()


def _kept() -> dict[str, str]:
    file = Path(os.environ["STUDIO_CONFIG_HOME"]) / "logins.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return json.loads(file.read_text())["logins"][0]


def test_the_button_in_the_browser_signs_the_command_in(server, person, opened, terminal):
    process = start(["login", server], stdin=terminal[0])
    page = _wait_for(opened)
    asked = dict(parse_qsl(urlsplit(page).query))
    browser = Browser()
    browser.force_login(person)

    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{asked['port']}/?code=x&state=guessed")
    shown = browser.get("/tokens/hand-over/", asked).content.decode()
    back = browser.post("/tokens/hand-over/", asked)["Location"]
    with urllib.request.urlopen(back) as response:
        answer = response.read().decode()
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert asked["machine"] in shown
    assert "close this page" in answer
    assert "as olivia" in out
    assert _kept()["token"] not in page + back + shown + answer + out + err
    assert ApiToken.objects.get().name == f"studio login on {asked['machine']}"
    who, _ = start(["whoami"]).communicate(timeout=60)
    assert json.loads(who)["username"] == "olivia"


def test_without_a_browser_it_asks_for_a_token(server, token, folder, terminal, monkeypatch):
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    process = start(["login", server], stdin=terminal[0], start_new_session=True)
    # What was typed before the end of the prompt, which is a blank, is thrown away.
    blank = process.stderr.read(1)
    os.write(terminal[1], f"{token}\n".encode())

    out, err = process.communicate(timeout=60)

    assert (process.returncode, blank) == (0, " "), err
    assert f"{server}/tokens/" in out
    assert token not in out + err
    assert _kept() == {"url": server, "token": token}


def test_a_browser_that_does_not_open_or_answer_gives_no_token(server, monkeypatch):
    monkeypatch.setattr(hand_over.webbrowser, "open", lambda page: False)
    assert hand_over.ask(server) is None

    monkeypatch.setattr(hand_over.webbrowser, "open", lambda page: True)
    assert hand_over.ask(server, wait_seconds=0.1) is None
    assert not ApiToken.objects.exists()


def test_without_a_terminal_it_says_how_to_give_a_token(server, folder):
    process = start(["login", server], stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "--token -" in err


def test_login_keeps_the_token_for_its_owner_alone(server, token, folder, monkeypatch):
    process = start(["login", server, "--token", "-"], stdin=subprocess.PIPE)
    out, _ = process.communicate(token + "\n", timeout=60)

    kept = Path(os.environ["STUDIO_CONFIG_HOME"]) / "logins.json"
    assert (process.returncode, "olivia" in out) == (0, True)
    assert kept.stat().st_mode & 0o777 == 0o600
    again = start(["whoami"])
    assert json.loads(again.communicate(timeout=60)[0])["username"] == "olivia"
    start(["logout", server]).communicate(timeout=60)
    assert server not in kept.read_text()


def test_login_with_a_wrong_token_is_refused(server, folder):
    process = start(["login", server, "--token", "stu_wrong"])
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "does not accept" in err
