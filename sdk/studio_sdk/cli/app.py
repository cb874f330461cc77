"""All commands together, and how errors are said.

Modules with commands evaluate their annotations at once: on Python 3.9 typer can not read them as texts.
"""

import os
import sys
from typing import Annotated

import typer

from studio_sdk.cli import folder, imports, lists, pipeline, runs, session, submit
from studio_sdk.exceptions import AzureMLException
from studio_sdk.version import VERSION

__all__ = ["app", "run", "submit"]

app = typer.Typer(
    help="Start, watch, find, tag and cancel training runs on a Studio server. `az ml X` is `studio X` here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(runs.app, name="run")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(folder.app, name="folder")
app.add_typer(lists.experiments, name="experiment")
app.add_typer(lists.targets, name="computetarget")
app.add_typer(imports.app, name="import")
app.command()(session.login)
app.command()(session.logout)
app.command()(session.whoami)
app.command("exec", context_settings={"allow_interspersed_args": False})(session.execute)
app.command()(session.sync)


@folder.app.callback()
def _folder() -> None:
    pass


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"studio {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    if debug:
        os.environ["STUDIO_DEBUG_CLI"] = "1"


def run() -> int:
    """Run the command line; return its exit code."""
    try:
        result = app(standalone_mode=False)
    except AzureMLException as error:
        if os.environ.get("STUDIO_DEBUG_CLI"):
            raise
        typer.echo(f"studio: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        typer.echo("studio: interrupted", err=True)
        return 1
    except BrokenPipeError:  # `studio run list | head`
        sys.stderr.close()
        return 1
    except typer.Exit as error:
        return error.exit_code
    except Exception as error:
        show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if show is None or code is None:  # no error of usage
            raise
        show()
        return int(code)
    return result if isinstance(result, int) else 0
