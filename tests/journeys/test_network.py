"""A pipeline across machines: two workers, each with a network, a name and a disk of its own.

The machines are network namespaces (namespaces.sh). The office has database, broker and web
server, all at one address; a worker reaches that address and no other, and sees nothing where
the folders of the others lie. So whatever passes between two steps passes over HTTP.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from runs.management import broker
from tests.journeys.product import ROOT, Product, eventually, running

pytestmark = [
    pytest.mark.journey,
    pytest.mark.process,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.namespaces,
]

OFFICE = "192.0.2.1"
WEB = f"http://{OFFICE}:8000"
# Whatever becomes of the test, what it started ends by itself.
BOUNDED = ["timeout", "900"]

# A step: passes on what it was given and a line of its own, and says what it finds around it.
STEP = """
import json, os, pathlib, socket, sys

def reaches(host):
    try:
        socket.create_connection((host, 8000), timeout=1).close()
    except OSError:
        return False
    return True

given = [pathlib.Path(folder) for folder in sys.argv[2:]]
out = pathlib.Path(os.environ["STUDIO_OUTPUT_TOLD"])
lines = "".join((folder / "lines").read_text() for folder in given)
(out / "lines").write_text(lines + socket.gethostname() + "\\n")
(out / "blob").write_bytes(bytes(range(256)) * 20_000)
print(json.dumps({
    "lines": (out / "lines").read_text().split(),
    "given_bytes": [(folder / "blob").stat().st_size for folder in given],
    "network": os.readlink("/proc/self/ns/net"),
    "reaches": [host for host in ("192.0.2.1", "192.0.2.2", "192.0.2.3") if reaches(host)],
    "sees": [folder for folder in sys.argv[1].split(",") if os.listdir(folder)],
}))
"""
# What somebody in the office does: submits the file, waits, and looks at each step.
SUBMIT = """
import json, sys
from studio_sdk.core import Workspace
from studio_sdk.pipeline.core import Pipeline

run = Pipeline.load_yaml(Workspace.get("default"), sys.argv[1]).submit("across")
status = run.wait_for_completion(show_output=False, timeout_seconds=200, raise_on_error=False)
print(json.dumps([status, {step.name: [step.get_status(), step.get_stdout_log()] for step in run.get_steps()}]))
"""


class Machine:
    """A namespace, and the folder that is its disk."""

    def __init__(self, name: str, *, namespace: str, folder: Path, others: Sequence[Path]) -> None:
        self.name, self.folder, self.others = name, folder, others
        hide = "".join(f"mount -t tmpfs none {other} && " for other in others)
        shell = ["unshare", "--uts", "--mount", "sh", "-c", f'hostname {name} && {hide}exec "$@"', "sh"]
        self.inside = ["ip", "netns", "exec", namespace, *BOUNDED, *shell]

    @contextmanager
    def serving(self, *command: str, greeting: str) -> Iterator[None]:
        """Run a server there."""
        log = self.folder / f"{uuid.uuid4().hex}.log"
        with log.open("wb") as output:
            server = subprocess.Popen([*self.inside, *command], stdout=output, stderr=output)
        try:
            eventually(lambda: greeting in log.read_text(), about=log.read_text)
            yield
        finally:
            server.terminate()
            server.wait(60)

    def python(self, *command: str, environment: dict[str, str]) -> str:
        """Run Python there, and return what it wrote."""
        done = subprocess.run(
            [*self.inside, sys.executable, *command],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[dict[str, Machine]]:
    """The machines of namespaces.sh, by name."""
    prefix = f"studio-{uuid.uuid4().hex[:6]}"
    folders = {name: tmp_path / name for name in ("office", "north", "south")}
    script = str(Path(__file__).with_name("namespaces.sh"))
    try:
        subprocess.run([script, "make", prefix], check=True, timeout=30)
        for folder in folders.values():
            folder.mkdir()
        yield {
            name: Machine(
                name,
                namespace=f"{prefix}-{name}",
                folder=folder,
                others=[other for other in folders.values() if other != folder],
            )
            for name, folder in folders.items()
        }
    finally:
        subprocess.run([script, "remove", prefix], check=True, timeout=30)


@pytest.fixture
def web(machines: dict[str, Machine]) -> Iterator[Product]:
    """The web server in the office, and a worker on each of the other machines."""
    office = machines["office"]
    with ExitStack() as stack:
        stack.enter_context(postgres(office))
        redis = [broker.find_server(), "--bind", OFFICE, "--protected-mode", "no", "--save", ""]
        stack.enter_context(office.serving(*redis, greeting="Ready to accept connections"))
        shared = {
            "DATABASE_URL": f"postgres://studio@{OFFICE}/postgres",
            "REDIS_URL": f"redis://{OFFICE}/0",
            "STUDIO_URL": WEB,
        }
        at = ["--host", OFFICE, "--port", "8000"]
        web = stack.enter_context(running(office.folder / "home", "--only", "web", *at, prefix=office.inside, **shared))
        web.wait_for("Ctrl-C stops it")
        for machine in (machines["north"], machines["south"]):
            target = ["manage.py", "compute_target", "create", machine.name, "--slots", "1"]
            office.python(*target, environment=web.environment)
            serving = ["--only", "worker", "--targets", machine.name]
            home = machine.folder / "home"
            worker = running(home, *serving, prefix=machine.inside, STUDIO_STORAGE="http", **shared)
            stack.enter_context(worker).wait_for("Ctrl-C stops it")
        yield web


@contextmanager
def postgres(machine: Machine) -> Iterator[None]:
    """A database server of the test's own; it is not run by root."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="studio-postgres-"))
    shutil.chown(folder, "postgres", "postgres")
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    try:
        made = [*as_postgres, programs / "initdb", "-N", "-A", "trust", "-U", "studio", "-D", folder]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=60)
        with (folder / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 192.0.2.0/24 trust\n")
        options = {"listen_addresses": OFFICE, "unix_socket_directories": "", "fsync": "off"}
        server = [*as_postgres, str(programs / "postgres"), "-D", str(folder)]
        for name, value in options.items():
            server += ["-c", f"{name}={value}"]
        with machine.serving(*server, greeting="ready to accept connections"):
            yield
    finally:
        shutil.rmtree(folder)


def test_data_passes_between_workers_that_share_nothing(web: Product, machines: dict[str, Machine]) -> None:
    office = machines["office"]
    (office.folder / "step.py").write_text(STEP)
    steps = {
        "first": step(machines["north"]),
        "second": step(machines["south"], "first"),
        "third": step(machines["north"], "first", "second"),
    }
    file = office.folder / "pipeline.yml"
    file.write_text(yaml.safe_dump({"name": "across", "steps": steps}))
    token = office.python("manage.py", "create_token", "admin", environment=web.environment).strip()

    told = office.python("-c", SUBMIT, str(file), environment={**web.environment, "STUDIO_TOKEN": token})

    status, ended = json.loads(told.splitlines()[-1])
    said = {name: json.loads(log) for name, (_status, log) in ended.items()}
    assert (status, {each for each, _log in ended.values()}) == ("Finished", {"Finished"})
    assert said["third"]["lines"] == ["north", "north", "south", "north"]
    assert said["third"]["given_bytes"] == [256 * 20_000] * 2
    # They were where they say: elsewhere than the other, where nothing but the office is to be seen.
    assert len({said["first"]["network"], said["second"]["network"]}) == 2
    assert [each["reaches"] for each in said.values()] == [[OFFICE]] * 3
    assert [each["sees"] for each in said.values()] == [[]] * 3


def step(machine: Machine, *given: str) -> dict[str, object]:
    """A step on one machine that reads what others told."""
    return {
        "script": "step.py",
        "source": ".",
        "compute_target": machine.name,
        "arguments": [",".join(map(str, machine.others)), *(f"${{{{ inputs.{name} }}}}" for name in given)],
        "inputs": {name: f"${{{{ steps.{name}.outputs.told }}}}" for name in given},
        "outputs": ["told"],
    }
