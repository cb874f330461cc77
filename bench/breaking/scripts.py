"""The script that every run of the fault bench executes, and what it must have printed. Standard library only."""

import re

NAME = "work.py"
# As the run's log announces what a full disk lost.
_LOST = re.compile(rb"\n\[studio: (\d+) bytes were lost: no room on the disk\]\n")

# Each attempt holds a lock for as long as any process of its tree lives, so a second copy notices
# the first one whatever became of it, and appends to one file what happened and when.
SOURCE = '''
import fcntl, json, os, signal, subprocess, sys, time, urllib.request

folder, kind, lines, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
run_id, attempt = os.environ["STUDIO_RUN_ID"], int(os.environ["STUDIO_ATTEMPT"].split(".")[1])
witness = os.open(os.path.join(folder, "witness"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what):
    os.write(witness, f"{run_id} {attempt} {os.getpid()} {what} {time.monotonic():.4f}\\n".encode())


def post(path, body, *, key=""):
    """Insist until the server has answered, and return its answer; None if it refuses."""
    data = json.dumps(body).encode()
    headers = {"Authorization": "Bearer " + os.environ["STUDIO_TOKEN"], "Content-Type": "application/json"}
    while True:
        request = urllib.request.Request(os.environ["STUDIO_URL"] + "/api/v1" + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return None
        except OSError:
            pass
        time.sleep(0.2)


lock = os.open(os.path.join(folder, run_id + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    note("overlap")
note("start")
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if kind == "forking":
    sleeper = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    for _ in range(2):
        subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True, pass_fds=[lock])
if kind == "daemon" and os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
if kind == "parent":
    made = post(f"/runs/{run_id}/children", {"count": 2}) or {"items": []}
    for child in made["items"]:
        post(f"/runs/{child['run_id']}/heartbeat", {})
    for child in made["items"][:1]:
        post(f"/runs/{child['run_id']}/complete", {})

pause = seconds / max(1, lines)
for number in range(lines):
    sys.stdout.write(f"{run_id} {attempt} line {number} {'x' * (number * 37 % 211)}\\n")
    sys.stdout.flush()
    if number % 10 == 9:
        note(f"printed:{number + 1}")
    if kind == "metrics" and number % 5 == 0:
        batch = {"batch_id": f"{attempt}.{number}", "points": [{"name": "loss", "step": number, "value": attempt}]}
        if post(f"/runs/{run_id}/metrics", batch) is not None:
            note(f"acknowledged:{number}")
            if number % 10 == 0:
                post(f"/runs/{run_id}/metrics", batch)
    time.sleep(pause)
note(f"printed:{lines}")
if kind == "metrics":
    os.makedirs("outputs", exist_ok=True)
    with open("outputs/model", "w") as model:
        model.write(run_id)
note("end")
sys.exit(3 if kind == "failing" or (kind == "flaky" and attempt == 1) else 0)
'''


def line(run_id: str, attempt: int, number: int) -> bytes:
    """Return one line as the script prints it."""
    return f"{run_id} {attempt} line {number} {'x' * (number * 37 % 211)}\n".encode()


def text(run_id: str, attempt: int, lines: int) -> bytes:
    """Return all that an attempt prints."""
    return b"".join(line(run_id, attempt, number) for number in range(lines))


def read_log(log: bytes, expected: bytes) -> int:
    """Return how far into `expected` the log leads, gaps that it announces included; -1 if it says anything else."""
    position, start = 0, 0
    for gap in _LOST.finditer(log):
        piece = log[start : gap.start()]
        if expected[position : position + len(piece)] != piece:
            return -1
        position += len(piece) + int(gap[1])
        start = gap.end()
    piece = log[start:]
    return position + len(piece) if expected[position : position + len(piece)] == piece else -1
