"""The `studio` command line: parses, makes one call of the SDK, prints. The verbs are those of Azure ML's CLI v1.

Exit codes: 0 for done, 1 for refused or failed, 2 for a command that can not be read.
"""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from studio_sdk import transport
        from studio_sdk.cli.app import run
    except ImportError as error:
        if error.name not in {"typer", "rich", "jmespath", "yaml"}:
            raise
        sys.exit(f"The command line needs {error.name}, which is not installed here: pip install {error.name}")
    transport.product = "studio-cli"
    sys.exit(run())
