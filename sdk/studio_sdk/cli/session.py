"""`studio login`, `logout`, `whoami`, `exec` and `sync`."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, List, Optional

import typer

import studio_sdk
from studio_sdk import connection, outbox, values
from studio_sdk.cli import hand_over, options, output
from studio_sdk.cli.output import Format
from studio_sdk.connection import Login
from studio_sdk.exceptions import AuthenticationException, AzureMLException, UserErrorException
from studio_sdk.transport import Client

_STARTUP = Path(studio_sdk.__file__).parent / "startup"


def login(
    url: Annotated[str, typer.Argument(help="The server's address.")] = connection.DEFAULT_URL,
    token: Annotated[
        Optional[str], typer.Option("--token", help="The token; `-` reads it from standard input.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Ask for a token to paste instead.")] = False,
) -> None:
    """Sign in to a server: a browser opens, you press one button, and the token is kept for you alone.

    Where there is no browser, it asks for a token to paste.

    Example: studio login http://127.0.0.1:8000
    """
    secret = _ask_for_token(url, not no_browser) if token is None else sys.stdin.readline() if token == "-" else token  # noqa: S105
    secret = secret.strip()
    if not secret or not secret.isprintable() or " " in secret:
        raise UserErrorException("That is no token.")
    me = Client(url, token=secret, retry_seconds=3).get("/me")
    file = connection.store_login(Login(url.rstrip("/"), secret))
    typer.echo(f"Signed in to {url} as {me['username']}. The token is kept in {file}.")


def logout(url: Annotated[str, typer.Argument(help="The server's address.")] = connection.DEFAULT_URL) -> None:
    """Forget the token for a server. Revoke it on the server's page of tokens.

    Example: studio logout http://127.0.0.1:8000
    """
    if not connection.forget_login(url):
        raise AuthenticationException(f"There is no stored login for {url}.")
    typer.echo(f"The token for {url} is forgotten.")


def whoami(query: options.Query = None, output_format: options.Output = Format.json) -> None:
    """Show the server and the user that commands act for.

    Example: studio whoami
    """
    client = connection.connect()
    output.emit({"url": client.url, **client.get("/me")}, output=output_format, query=query)


def execute(
    command: Annotated[List[str], typer.Argument(help="The command and its arguments.")],
) -> None:
    """Run a command in which `azureml` means Studio's client, unless the real one is installed there.

    Example: studio exec -- python train.py
    """
    program = shutil.which(command[0])
    if program is None:
        raise UserErrorException(f"There is no program {command[0]!r}.")
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_STARTUP), environment.get("PYTHONPATH", "")]))
    sys.stdout.flush()
    os.execve(program, command, environment)  # noqa: S606 - a shell is what is not wanted


def sync(
    files: Annotated[List[Path], typer.Argument(help="Spool files that a script left.")],
) -> None:
    """Send metrics that a script kept in a file because the server was away. What arrived before is not doubled.

    Example: studio sync studio-metrics-20200109T120000-4711-1.jsonl
    """
    for file in files:
        if not file.is_file():
            raise UserErrorException(f"There is no file {file}.")
        batches = outbox.read_spool(file, connection.connect)
        count = 0
        for batch in batches:
            outbox.send(batch)
            count += len(batch.points)
        file.unlink()
        typer.echo(f"{file}: {count} points sent.")


def _ask_for_token(url: str, uses_browser: bool) -> str:
    page = f"{url.rstrip('/')}/tokens/"
    if not sys.stdin.isatty():
        raise AzureMLException(f"Make a token on {page} and give it with --token, or on standard input with --token -.")
    if uses_browser and hand_over.can_open_browser():
        secret = hand_over.ask(url)
        if secret:
            return secret
        values.warn("no browser let this command in")
    typer.echo(f"Make a token on {page}")
    return str(typer.prompt("Token", hide_input=True))
