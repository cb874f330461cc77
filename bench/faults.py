"""Break Studio on purpose, and check what it promises: `python bench/faults.py --minutes 1 --seed 7 --db sqlite`.

A generator submits and cancels runs of every kind; a nemesis kills and freezes workers,
supervisors, web, beat, broker and database; a checker then holds rows, logs, processes
and a file that the scripts themselves write against the invariants of
docs/reliability.md. Exits with 1 if one does not hold. All on loopback, in a temporary
folder; only processes that it started are touched, and none is left.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In place of this folder, whose modules would hide those of Python that have the same names.
sys.path[:1] = [str(ROOT), str(ROOT / "sdk")]

from bench.breaking import site as sites  # noqa: E402 - after the path

# How long things may take to come to rest; parts that were killed are started again after up to half a minute.
_QUIET_SECONDS = 90


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to break things (default: 1)")
    parser.add_argument("--seed", type=int, help="which chances to take (default: a new one, which is printed)")
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument(
        "--database-url",
        default="",
        help="a PostgreSQL server to make a database on; without it, one of our own, which is stopped and frozen too",
    )
    parser.add_argument("--slots", type=int, default=4, help="how many runs execute at once (default: 4)")
    parser.add_argument("--keep", default="", help="where to keep the product's own words if something is wrong")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    # Ended from outside, it still cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {seed}, {options.db}, {options.minutes:g} minutes of faults", flush=True)
    with sites.site(options.db, options.database_url, slots=options.slots) as site:
        os.environ.update({name: site.environment[name] for name in site.environment if name.startswith("STUDIO_")})
        if site.database.url:
            os.environ["DATABASE_URL"] = site.database.url
        os.environ.pop("REDIS_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "studio.settings"
        code = _break(site, seed, options.minutes)
        if code and options.keep:
            Path(options.keep).write_bytes(site.log.read_bytes() + _words(site.home / "log" / "supervisors.log"))
        return code


def _words(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _break(site: sites.Site, seed: int, minutes: float) -> int:
    # The site's environment decides what these read.
    import django

    django.setup()
    from django.db import connections

    from bench.breaking import checker as checkers
    from bench.breaking.load import Load, Reader
    from bench.breaking.nemesis import Nemesis

    chance = random.Random(seed)
    site.start()
    load = Load(site, site.token(), random.Random(chance.random()))
    reader = Reader(site, _link(site))
    nemesis = Nemesis(site, random.Random(chance.random()))
    checker = checkers.Checker(load)
    began = time.monotonic()
    for part in (load, reader, nemesis):
        part.start()
    while time.monotonic() < began + 60 * minutes:
        time.sleep(2)
        checker.look()
    nemesis.stop()
    load.stop()
    quiet_seconds = _wait_for_quiet(site)
    # The janitor's rounds, and looks at the pages without any fault.
    time.sleep(8)
    checker.look()
    reader.stop()
    checker.judge(nemesis.faults, reader.looks)
    connections.close_all()
    _report(load, nemesis, checker, quiet_seconds)
    return int(any(verdict.violations for verdict in checker.verdicts.values()))


def _link(site: sites.Site) -> str:
    from django.contrib.auth.models import User

    from runs.management import sign_in

    user = User.objects.get(username="admin")
    return sign_in.make_link(user=user, address=site.address)


def _wait_for_quiet(site: sites.Site) -> float:
    """Wait until nothing is active that could end by itself; return how long that took."""
    from django.db import Error, connections

    from runs.models import Run, RunType
    from runs.status import ACTIVE

    began = time.monotonic()
    while time.monotonic() < began + _QUIET_SECONDS:
        try:
            active = Run.objects.filter(status__in=ACTIVE).exclude(
                run_type=RunType.INTERACTIVE, heartbeat_at__isnull=True
            )
            if not active.exists():
                break
        except Error:
            connections.close_all()
        time.sleep(0.5)
    else:
        print("not quiet; the processes are:")
        for process in site.processes():
            print(f"  {process.pid} {process.ppid()} {process.name()} {process.status()} {_waits_at(process.pid)}")
    return time.monotonic() - began


def _waits_at(pid: int) -> str:
    """Return where in the kernel each thread of a process waits."""
    found = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*/wchan")):
        with suppress(OSError):
            found.append(task.read_text())
    return " ".join(found)


def _report(load, nemesis, checker, quiet_seconds: float) -> None:  # type: ignore[no-untyped-def]  # after setup
    from bench.breaking import checker as checkers
    from runs.models import Attempt, Run

    statuses = Counter(Run.objects.values_list("status", flat=True))
    print(
        f"{len(load.submissions)} submissions accepted ({load.repeated_count} sent twice),"
        f" {load.unanswered_count} without an answer, {len(load.refused)} refused;"
        f" {len(load.cancels)} cancels of {len({cancel.run_id for cancel in load.cancels})} runs;"
        f" {Attempt.objects.count()} attempts; quiet after {quiet_seconds:.0f} s"
    )
    print("runs: " + ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())))
    kinds = Counter(fault.kind for fault in nemesis.faults)
    print(f"{len(nemesis.faults)} faults: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    if not load.site.has_small_disk:
        print("no full disk: a small disk may not be mounted here")
    for text, count in Counter(load.refused).most_common(5):
        print(f"refused: {count} x {text[:200]}")
    for trouble in nemesis.troubles[:5]:
        print(f"the nemesis itself: {trouble}")
    for note, count in sorted(checker.notes.items()):
        print(f"note: {count} {note}")
    print(f"stop, from request to end: {checkers.percentiles(checker.stop_seconds)}")
    print(f"memory: {', '.join(f'{name} {size} MB' for name, size in sorted(checker.greatest_megabytes.items()))}")
    print(f"{'':4}{'checked':>9}{'violated':>10}")
    for name, verdict in checker.verdicts.items():
        print(f"{name:4}{verdict.checked:9}{len(verdict.violations):10}  {checkers.NAMES[name]}")
    for name, verdict in checker.verdicts.items():
        for violation in verdict.violations[:8]:
            print(f"VIOLATED {name}: {violation}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
