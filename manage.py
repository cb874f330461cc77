#!/usr/bin/env python
"""Django's command line for Studio; `manage.py up` runs the whole product."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed for this interpreter. In the checkout run:\n"
            "  python3 -m venv .venv && .venv/bin/pip install -r requirements.txt\n"
            "and use .venv/bin/python manage.py ..."
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
