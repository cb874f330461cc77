"""docs/deploy.md does what it says: its files are written, its services started and its commands run, in its order.

Folders, names and ports are the test's own; `systemctl`, `sudo`, `install` as another user
and the virtual environment are played by small stand-ins.
"""

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.journeys import servers
from tests.journeys.product import ROOT, Api, Product, eventually, submit, wait_for_status

pytestmark = [pytest.mark.journey, pytest.mark.process, pytest.mark.redis, pytest.mark.slow]

BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "docs/deploy.md").read_text())
FILES = {mark.removeprefix("file="): text for _, mark, text in BLOCKS if mark.startswith("file=")}
UNITS = {Path(name).stem: text for name, text in FILES.items() if name.endswith(".service")}
LOG = "logs/user_logs/std_log.txt"
WAITER = b"import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.1)\nprint('whole')\n"


def test_every_block_is_run_written_or_left_to_the_reader_on_purpose():
    left = [text for _, mark, text in BLOCKS if not mark]

    assert [text.split()[0] for text in left] == ["useradd", "scrape_configs:", "cd"]


@pytest.mark.parametrize("name", sorted(UNITS))
def test_a_unit_is_one_that_systemd_takes(name, tmp_path):
    text = UNITS[name].replace("/opt/studio/.venv/bin/python", sys.executable).replace("/opt/studio", str(ROOT))
    unit = tmp_path / f"{name}.service"
    unit.write_text(re.sub(r"(?m)^User=.*\n", "", text))

    checked = subprocess.run(
        [shutil.which("systemd-analyze") or "true", "verify", unit], capture_output=True, text=True
    )

    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.read_string(text)
    assert parsed["Service"]["Restart"] == "always"
    assert f"{name}.service" not in checked.stderr, checked.stderr


def test_the_worker_leaves_its_scripts_alone_when_it_is_restarted():
    assert "KillMode=process" in UNITS["studio-worker"]
    assert "--keep-runs" in UNITS["studio-worker"]


@pytest.fixture
def ports() -> Iterator[list[int]]:
    with ExitStack() as stack:
        yield [stack.enter_context(servers.held_port()) for _ in range(3)]


@pytest.mark.nginx
def test_nginx_takes_the_proxy_and_passes_requests_on(tmp_path, ports):
    plain, tls, nobody = ports
    request = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=studio.example.org -keyout tls.key -out tls.crt"
    subprocess.run(request.split(), cwd=tmp_path, check=True, capture_output=True)
    text = FILES["/etc/nginx/conf.d/studio.conf"].replace("/etc/studio", str(tmp_path))
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{nobody}")
    text = text.replace("listen 443", f"listen 127.0.0.1:{tls}").replace("listen 80", f"listen 127.0.0.1:{plain}")
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {text} }}")
    command = ["nginx", "-c", config, "-p", tmp_path, "-e", tmp_path / "error.log"]

    assert subprocess.run([*command, "-t"], capture_output=True, text=True).returncode == 0
    nginx = subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(plain))
        answer = httpx.get(f"http://127.0.0.1:{plain}/runs/", headers={"Host": "studio.example.org"}, timeout=60)
        assert (answer.status_code, answer.headers["Location"]) == (301, "https://studio.example.org/runs/")
        assert httpx.get(f"https://127.0.0.1:{tls}/healthz", verify=False, timeout=60).status_code == 502
    finally:
        nginx.terminate()
        nginx.wait(60)


@dataclass
class Host:
    """A machine as far as the document knows it: folders, services, names."""

    root: Path
    substitutes: dict[str, str]
    services: dict[str, Product] = field(default_factory=dict)

    def translate(self, text: str) -> str:
        for known, own in self.substitutes.items():
            text = text.replace(known, own)
        return text

    def write(self, name: str) -> None:
        path = Path(self.translate(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.translate(FILES[name]))

    def run(self, text: str) -> str:
        """Run a block, and then do what it asked of systemd."""
        wanted = self.root / "systemctl"
        wanted.write_text("")
        environment = {**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "SYSTEMCTL": str(wanted)}
        script = ["bash", "-euc", self.translate(text)]
        done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str) -> None:
        """Start a service as its unit says."""
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read_string(self.translate(UNITS[name]))
        service = unit["Service"]
        lines = Path(service["EnvironmentFile"]).read_text().splitlines()
        command = shlex.split(service["ExecStart"])
        assert command[:3] == [str(self.root / "opt/.venv/bin/python"), "manage.py", "up"]
        environment = dict(line.split("=", 1) for line in lines)
        home = Path(environment.pop("STUDIO_HOME"))
        self.services[name] = Product(home, *command[3:], STUDIO_TEST_UNIT=name, **environment)
        self.services[name].wait_for("Ctrl-C stops it")

    def stop(self, name: str) -> None:
        self.services[name].stop(signal.SIGTERM)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with ExitStack() as stack:
        address = stack.enter_context(servers.redis(tmp_path))
        server = urlsplit(os.environ["DATABASE_URL"])
        name, port = f"journey_{uuid.uuid4().hex[:8]}", stack.enter_context(servers.held_port())
        web = f"http://127.0.0.1:{port}"
        host = Host(
            tmp_path,
            {
                "https://studio.example.org": web,
                "--port 8000": f"--port {port}",
                "127.0.0.1:5432": f"{server.hostname}:{server.port}",
                "redis://127.0.0.1:6379/0": address,
                "studio_app": name,
                "STUDIO_LOG_FORMAT=json": "STUDIO_LOG_LEVEL=WARNING",
                "/opt/studio": str(tmp_path / "opt"),
                "/etc/": f"{tmp_path}/etc/",
                "/var/": f"{tmp_path}/var/",
                "-o studio": "",
            },
        )
        prepare(host, server)
        try:
            yield host
        finally:
            for service in host.services.values():
                service.kill()
            admin = ["psql", "-h", server.hostname, "-p", str(server.port), "-U", server.username, "-d", "postgres"]
            for command in (f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"DROP ROLE IF EXISTS {name}"):
                subprocess.run([*admin, "-qc", command], check=True)


def prepare(host: Host, server) -> None:
    """Lay out the checkout, and the stand-ins for what only root of a real machine has."""
    checkout = host.root / "opt"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith((".venv", ".git")) and path.name != "var":
            (checkout / path.name).symlink_to(path)
    stands_in = {
        "systemctl": 'echo "$@" >> "$SYSTEMCTL"',
        "sudo": 'while [ $# -gt 0 ]; do case $1 in -u) shift 2;; -*) shift;; *) break;; esac; done; exec "$@"',
        "psql": f"exec {shutil.which('psql')} -q -h {server.hostname} -p {server.port} -U {server.username} "
        '$(case "$*" in *"-d "*) ;; *) echo -d postgres;; esac) "$@"',
        # The packages are there already; `pip` has to agree.
        "python3": f'ln -s {sys.prefix} "$3"',
    }
    (host.root / "bin").mkdir()
    for name, text in stands_in.items():
        program = host.root / "bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)


@pytest.mark.postgres
def test_an_installation_is_made_backed_up_lost_restored_and_upgraded_as_it_says(host: Host, tmp_path: Path) -> None:
    blocks = [text for _, mark, text in BLOCKS if mark == "run"]
    [restore] = [text for _, mark, text in BLOCKS if mark == "restore"]
    database, code, start, manage, backup, upgrade = blocks
    for name in FILES:
        host.write(name)

    host.run(database)
    host.run(code)
    host.run(start)
    for name in UNITS:
        host.start(name)
    said = host.run(manage)
    assert re.search(r"http://127.0.0.1:\d+/sign-in/", said)
    api = Api(host.services["studio-web"])
    run_id = submit(api, b"print('kept')\n")
    wait_for_status(api, run_id, "Completed")

    host.run(backup)
    for name in UNITS:
        host.stop(name)
    shutil.rmtree(host.translate("/var/lib/studio/data"))
    host.run(restore)
    for name in UNITS:
        host.start(name)
    api = Api(host.services["studio-web"])
    assert api.get(f"/api/v1/runs/{run_id}/{LOG}").text == "kept\n"

    going = submit(api, WAITER, arguments=[str(tmp_path / "go")])
    wait_for_status(api, going, "Running")
    host.run(upgrade)
    for name in UNITS:
        host.stop(name)
        host.start(name)
    (tmp_path / "go").touch()
    wait_for_status(Api(host.services["studio-web"]), going, "Completed")
    assert api.get(f"/api/v1/runs/{going}/{LOG}").text == "whole\n"


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
