"""A long line: `python bench/long_line.py [--runs 10000] [--slots 4]`.

Submits so many no-op scripts at once through the API, reads pages as a signed-in person
while they run, and says whether all ended, whether any started twice (each script adds a
line to a file when it starts), how many a minute that were, and how long pages took. On
loopback, in a temporary folder; nothing is left. Exits with 1 if a run is lost, doubled or
not Completed.
"""

import argparse
import collections
import json
import os
import sys
import tempfile
import threading
import time
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

sys.path.insert(0, str(Path(__file__).resolve().parent))
import latency

# The interpreter and one write: nothing else, so that the product is what is measured.
_SCRIPT = "import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), sys.argv[2].encode() + b'\\n')"
_PAGES = ("/", "/w/default/experiments/", "/w/default/experiments/bench/", "/w/default/pipelines/", "/compute/")
_PAGE_SECONDS = 0.2


def main() -> int:
    """Do it; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args()
    latency.SCRIPTS["witness.py"] = _SCRIPT
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
    with latency.server(slots=options.slots) as served, tempfile.TemporaryDirectory() as name:
        witness = Path(name) / "witness"
        witness.touch()
        person = sign_in(served)
        pages: dict[str, list[float]] = collections.defaultdict(list)
        is_over = threading.Event()
        reader = threading.Thread(target=_read_pages, args=(served, person, pages, is_over))
        reader.start()
        started = time.monotonic()
        for number in range(options.runs):
            served.submit("witness.py", str(witness), str(number))
        taken = time.monotonic() - started
        print(f"{options.runs:,} runs taken in {taken:.0f} s, {options.runs / taken:.0f} a second", flush=True)
        counts = _wait_for_all(served, options.runs)
        ended = time.monotonic() - started
        is_over.set()
        reader.join()
        starts = collections.Counter(witness.read_text().split())
    bare = latency.time_many_bare(min(100, options.runs), options.slots) / min(100, options.runs)
    twice = sum(count > 1 for count in starts.values())
    print(f"all ended after {ended:.0f} s: {counts}; started {len(starts):,}, twice {twice}")
    print(f"{60 * options.runs / ended:,.0f} a minute; bare interpreters beside it: {60 / bare:,.0f} a minute")
    for path, seconds in pages.items():
        latency.say(path, seconds)
    print(f"load {os.getloadavg()[0]:.1f} after")
    slow = [path for path, seconds in pages.items() if sorted(seconds)[len(seconds) // 2] > _PAGE_SECONDS]
    if slow:
        print(f"over {_PAGE_SECONDS} s in the median: {', '.join(slow)}")
    return 0 if counts == {"Completed": options.runs} and len(starts) == options.runs and not twice else 1


def sign_in(served: latency.Server) -> OpenerDirector:
    """Return a browser of the administrator's, as far as this needs one."""
    words = latency.wait_for(lambda: latency.words_after(served.home / "up.log", "once: "), pause=0.05)
    cookies = CookieJar()
    person = build_opener(HTTPCookieProcessor(cookies))
    person.open(words).read()
    token = next(cookie.value for cookie in cookies if cookie.name == "csrftoken")
    person.open(Request(words, urlencode({"csrfmiddlewaretoken": token}).encode(), {"Referer": words})).read()
    return person


def _read_pages(
    served: latency.Server, person: OpenerDirector, pages: dict[str, list[float]], is_over: threading.Event
) -> None:
    while not is_over.wait(0.5):
        for path in _PAGES:
            asked = time.monotonic()
            person.open(served.address + path).read()
            pages[path].append(time.monotonic() - asked)


def _wait_for_all(served: latency.Server, count: int) -> dict[str, int]:
    """Wait until nothing is active, as the experiment's counts have it; return them."""
    while True:
        found = served.call("GET", "/experiments/bench")["runs_by_status"]
        counts = {status: number for status, number in found.items() if number}
        if sum(counts.get(status, 0) for status in ("Completed", "Failed", "Canceled")) >= count:
            return counts
        print(f"  {json.dumps(counts)}", flush=True)
        time.sleep(5)


if __name__ == "__main__":
    sys.exit(main())
