"""How long a log of a gigabyte takes: to open, to be numbered, to find a line in: `python -m bench.great_log`."""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import TypeVar

os.environ["STUDIO_HOME"] = tempfile.mkdtemp(prefix="studio-bench-")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

import django

django.setup()

from runs.storage import files, lines, logs  # noqa: E402 - after django.setup
from runs.views import ansi  # noqa: E402

Result = TypeVar("Result")
NAME = "user_logs/std_log.txt"
BYTES = 2**30


def timed(what: str, call: Callable[[], Result]) -> Result:
    """Call, print how long it took, and return what it returned."""
    start = time.perf_counter()
    result = call()
    print(f"{what}: {1000 * (time.perf_counter() - start):.1f} ms")
    return result


def opened() -> lines.Window:
    """Open the log at its end, as the page does."""
    return lines.tail(1, NAME, index=lines.LineIndex(1, NAME))


def main() -> None:
    """Write the log, and measure."""
    path = files.run_folder(1) / "logs" / NAME
    path.parent.mkdir(parents=True)
    count = 0
    with path.open("wb") as handle:
        while handle.tell() < BYTES:
            handle.write(
                b"".join(
                    b"2026-11-23 12:00:00 INFO epoch %07d loss=0.123456 accuracy=0.987654 %s\n" % (number, b"x" * 50)
                    for number in range(count, count + 10_000)
                )
            )
            count += 10_000
    print(f"{logs.log_size(1, NAME):,} bytes, {count:,} lines")
    window, tries = timed("first open", opened), 1
    while not window.is_counted:
        timed("a step of counting", lambda: lines.LineIndex(1, NAME, budget_bytes=lines.SEARCH_BUDGET_BYTES))
        window, tries = opened(), tries + 1
    print(f"lines are numbered after {tries - 1} steps")
    timed("open, numbered", opened)
    index = lines.LineIndex(1, NAME)
    offset = timed("find line 4,000,000", lambda: index.offset_of(4_000_000)) or 0
    timed("window there", lambda: lines.window_from(1, NAME, offset, index=index))
    timed("turn a window into HTML", lambda: ansi.render(line.data.decode() for line in window.lines))
    timed("search as much as one request may, in vain", lambda: lines.search(1, NAME, "no such words"))
    print(f"greatest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(os.environ["STUDIO_HOME"])
