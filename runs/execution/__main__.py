"""`python -m runs.execution launcher DESCRIPTOR` and `... supervisor ATTEMPT`: started by workers, not by people."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
django.setup()

from runs.execution import host, kernel, launcher, process  # noqa: E402

match sys.argv[1:]:
    case ["launcher", cord]:
        launcher.serve(int(cord))
    case ["supervisor", attempt_id]:
        kernel.be_nicer(host.niceness()[0])
        launcher.run_supervisor(int(attempt_id), process.strongest_tier())
    case _:
        sys.exit("expected: launcher DESCRIPTOR, or supervisor ATTEMPT")
