"""`python -m studio_sdk.cli` is `studio`."""

from studio_sdk.cli import main

main()
