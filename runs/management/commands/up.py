"""Run the whole product with one command: broker, web server, worker and beat."""

import logging.config
import os
import signal
import socket
import sys
import time
import traceback
from argparse import ArgumentParser
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from runs import log_context, storage
from runs.execution import kernel, shutdown
from runs.management import broker, firstrun, home, local_token, parts, sign_in
from runs.management.children import Child, Children
from runs.models import ComputeTarget

PARTS = ("web", "worker", "beat")
# All of a stop fits into ten seconds: the worker's end, the runs' end, the web server's and the broker's.
_STOP_WORKER_SECONDS = 2.0
_STOP_RUNS_SECONDS = 8.5  # counted from the start of the stop
_STOP_WEB_SECONDS = 1.0
_STOP_BROKER_SECONDS = 0.4


class Command(BaseCommand):
    """Start the parts, watch over them, and stop them in order."""

    help = "Run Studio: applies migrations, then starts and watches the broker, the web server, the worker and beat."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one")
        parser.add_argument(
            "--workers",
            type=int,
            help="how many runs the compute target `local` executes at once, kept for later starts (at first: 2)",
        )
        parser.add_argument("--keep-runs", action="store_true", help="when stopped, leave running runs to finish")
        parser.add_argument("--only", choices=PARTS, help="run one part, where others run elsewhere")
        parser.add_argument("--targets", default="", help="compute targets to serve, as a,b (default: all enabled)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal asks to stop."""
        names = [options["only"]] if options["only"] else list(PARTS)
        if options["workers"] is not None and options["workers"] < 1:
            raise CommandError(f"--workers is {options['workers']}; expected at least 1.")
        # Whatever is written from here on is for its owner alone.
        os.umask(0o077)
        firstrun.make_home()
        port = self._hold_port(options["host"], options["port"]) if "web" in names else options["port"]
        address = self._configure(options, port)
        self._lock(options["only"], address)

        self._prepare_apart(names, options)
        server = broker.find_server() if not options["only"] and settings.STUDIO_BROKER_IS_EMBEDDED else ""
        parts.load()
        connections.close_all()
        # The children share what is loaded by now.
        kernel.tidy_memory()

        stop = _StopRequest()
        children = Children(self._say)
        if server:
            broker.prepare_folders()
            children.add(Child("broker", lambda: broker.run(server)))
            broker.is_up(timeout_seconds=5)
        if "web" in names:
            children.add(Child("web", lambda: parts.run_web(options["host"], port)))
        if "worker" in names:
            children.add(Child("worker", parts.run_worker))
        if "beat" in names and (server or not settings.STUDIO_BROKER_IS_EMBEDDED or options["only"]):
            children.add(Child("beat", parts.run_beat))
        if "web" in names:
            self._wait_for_pages(children, stop, options["host"], port)
        self._announce(names, address, server)
        while not stop.wanted:
            children.step(1.0)
        self._stop(children, names, keep_runs=options["keep_runs"], stop=stop)

    def _hold_port(self, host: str, port: int) -> int:
        """Return `port`, or a free one for 0; a port that is taken is an error now and not in a child.

        It stays bound here, beside the web server, which may be seconds away or being started
        again: the system would give a free port to somebody else, and two web servers may even
        share one and each be given the other's requests.
        """
        self._held = held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        os.register_at_fork(after_in_child=held.close)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((host, port))
        except OSError as error:
            held.close()
            raise CommandError(
                f"Port {port} of {host} cannot be used: {os.strerror(error.errno or 0)}."
                " Choose another one with --port."
            ) from None
        port = held.getsockname()[1]
        if sys.platform != "linux":  # elsewhere the web server could not bind it, too
            held.close()
        return port

    def _configure(self, options: dict[str, Any], port: int) -> str:
        """Hand the options to the settings that the children read, and return the address of the pages."""
        reachable = _reachable(options["host"])
        if "STUDIO_URL" not in os.environ:
            _set("STUDIO_URL", f"http://{reachable}:{port}")
        if "STUDIO_ALLOWED_HOSTS" not in os.environ and reachable not in settings.ALLOWED_HOSTS:
            _set("STUDIO_ALLOWED_HOSTS", [*settings.ALLOWED_HOSTS, reachable], setting="ALLOWED_HOSTS")
        if options["targets"]:
            _set("STUDIO_TARGETS", [name.strip() for name in options["targets"].split(",") if name.strip()])
        if "STUDIO_LOG_LEVEL" not in os.environ:
            level = "INFO" if options["verbosity"] > 1 else "WARNING"
            root = {**cast("dict[str, Any]", settings.LOGGING["root"]), "level": level}
            _set("STUDIO_LOG_LEVEL", level)
            # Celery sets Django up again in its children, logging included.
            settings.LOGGING = {**settings.LOGGING, "root": root}
            logging.config.dictConfig(settings.LOGGING)
        return settings.STUDIO_URL

    def _lock(self, only: str | None, address: str) -> None:
        """Make sure that nobody else runs on this data; workers and web servers may be many."""
        try:
            if only is None:
                home.lock("up", address=address)
            if only in (None, "beat"):
                home.lock("beat", address=address)
        except home.HomeIsTaken as error:
            raise CommandError(str(error)) from None

    def _prepare_apart(self, names: list[str], options: dict[str, Any]) -> None:
        """Prepare in a process of its own: what migrations and compression take would stay in every child."""
        self.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._prepare(names, options)
                code = 0
            except CommandError as error:
                self.stderr.write(f"CommandError: {error}")
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        if os.waitpid(pid, 0)[1] != 0:
            raise SystemExit(1)

    def _prepare(self, names: list[str], options: dict[str, Any]) -> None:
        """Bring database, static files and first rows into place, or raise."""
        if len(settings.SECRET_KEY) < 32 or settings.SECRET_KEY.startswith("django-insecure-"):
            raise CommandError("STUDIO_SECRET_KEY is too short to be safe: expected at least 32 random characters.")
        if "web" in names:
            if storage.is_remote():
                raise CommandError("STUDIO_STORAGE=http is for workers: start them with --only worker.")
            firstrun.migrate()
            firstrun.collect_static_files()
            firstrun.make_first_rows(slots=options["workers"])
        elif firstrun.needs_migration():
            raise CommandError("The database is not at this version: start `manage.py up --only web` first.")
        unknown = set(settings.STUDIO_TARGETS) - set(ComputeTarget.objects.values_list("name", flat=True))
        if unknown and "worker" in names:
            self._say("up", f"no compute target is called {', '.join(sorted(unknown))} yet; served once it is made")

    def _wait_for_pages(self, children: Children, stop: "_StopRequest", host: str, port: int) -> None:
        """Wait until the web server answers, for at most half a minute."""
        deadline = time.monotonic() + 30
        while not stop.wanted and time.monotonic() < deadline and not parts.answers(_reachable(host), port):
            children.step(0.05)

    def _announce(self, names: list[str], address: str, server: str) -> None:
        """Say where everything is, and how to get in."""
        if "web" in names:
            self._say_plainly(f"Studio is at {address}")
            user = sign_in.first_administrator()
            if user is not None:
                link = sign_in.make_link(user=user, address=address)
                local_token.write(user=user, address=address)
                self._say_plainly(f"  sign in as {user.get_username()}, once: {link}")
            connections.close_all()
        else:
            self._say_plainly(f"Studio's {names[0]} runs")
        self._say_plainly(f"  data lies in {settings.STUDIO_HOME}")
        if settings.STUDIO_BROKER_IS_EMBEDDED and not server and "worker" in names:
            self._say_plainly("  without a Valkey or Redis server, workers look for new runs every second instead")
        if "worker" in names and os.getuid() == 0:
            self._say_plainly("  this is the root user's session: scripts may do all that root may")
        self._say_plainly("Ctrl-C stops it.")

    def _stop(self, children: Children, names: list[str], *, keep_runs: bool, stop: "_StopRequest") -> None:
        """Stop all in order: who starts runs, the runs, who serves them, the broker."""
        began = time.monotonic()
        self._say_plainly("Stopping ...")
        children.stop(["worker", "beat"], timeout_seconds=stop.at_most(_STOP_WORKER_SECONDS))
        if "worker" in names and not keep_runs and not stop.is_urgent:
            left = shutdown.stop_runs(
                reason="The server was stopped.", timeout_seconds=_STOP_RUNS_SECONDS - (time.monotonic() - began)
            )
            if left:
                self._say_plainly(f"{left} runs had not stopped yet.")
        children.stop(["web"], timeout_seconds=stop.at_most(_STOP_WEB_SECONDS))
        children.stop(["broker"], timeout_seconds=stop.at_most(_STOP_BROKER_SECONDS))
        self._say_plainly("Stopped.")

    def _say(self, name: str, line: str) -> None:
        """Print a line of a child, or of ours about one."""
        if not line.strip():
            return
        if settings.STUDIO_LOG_FORMAT == "text":
            self._write(f"{name:<6} | {line}")
        else:
            self._write(line if line.startswith("{") else _as_json(name, line))

    def _say_plainly(self, line: str) -> None:
        self._write(line if settings.STUDIO_LOG_FORMAT == "text" else _as_json("up", line.strip()))

    def _write(self, line: str) -> None:
        try:
            self.stdout.write(line)
            self.stdout.flush()
        except BrokenPipeError:
            # Nobody reads any more; the product goes on, and says it to no one.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _StopRequest:
    """Whether a signal asked to stop; a second one asks to stop at once."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def _receive(self, *_: object) -> None:
        self.count += 1

    @property
    def wanted(self) -> bool:
        return self.count > 0

    @property
    def is_urgent(self) -> bool:
        return self.count > 1

    def at_most(self, seconds: float) -> float:
        return 0 if self.is_urgent else seconds


def _as_json(name: str, line: str) -> str:
    return log_context.json_line(at=timezone.now(), level="INFO", logger=name, message=line)


def _reachable(host: str) -> str:
    """Return the host under which this machine itself reaches what listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104


def _set(variable: str, value: str | list[str], *, setting: str = "") -> None:
    """Change a setting for the children: those forked here read the object, those they execute the environment."""
    os.environ[variable] = value if isinstance(value, str) else ",".join(value)
    setattr(settings, setting or variable, value)
