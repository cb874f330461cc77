"""Python environments: made once, shared, refused with the solver's words, pruned when unused."""

import fcntl
import os
import textwrap

import pytest

from runs.execution import packages
from tests.runs.execution.conftest import marked, wait_for

pytestmark = [pytest.mark.process, pytest.mark.slow]

WHEEL = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\n"
PACKAGE = {
    "mylib/pyproject.toml": '[project]\nname = "mylib"\nversion = "1.5"\n[build-system]\nrequires = []\n'
    'build-backend = "backend"\nbackend-path = ["."]\n',
    "mylib/backend.py": textwrap.dedent(f"""
        import os, zipfile
        def build_wheel(folder, config_settings=None, metadata_directory=None):
            name = "mylib-1.5-py3-none-any.whl"
            with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
                wheel.writestr("mylib.py", "ANSWER = 42\\n")
                wheel.writestr("mylib-1.5.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mylib\\nVersion: 1.5\\n")
                wheel.writestr("mylib-1.5.dist-info/WHEEL", "{WHEEL}")
                wheel.writestr("mylib-1.5.dist-info/RECORD", "")
            return name
    """),
}


def test_a_run_finds_the_packages_that_it_asked_for_and_the_next_one_finds_them_made(site, worker):
    files = {"requirements.txt": "./mylib\n", **PACKAGE}
    code = "import mylib, sys; print(mylib.ANSWER, sys.prefix != sys.base_prefix)"

    runs = [site.submit(code, files=files, requirements="requirements.txt") for _ in range(2)]

    assert [site.wait_until_ended(run, seconds=120).status for run in runs] == ["Completed"] * 2
    assert [site.log(run) for run in runs] == [b"42 True\n"] * 2
    words = [site.log(run, "system_logs/run.txt") for run in runs]
    assert [b"Making a Python environment" in text for text in words].count(True) == 1
    assert all(b"is ready" in text for text in words)


def test_what_cannot_be_solved_is_failed_with_the_solvers_words(site, worker):
    run = site.submit("pass", requirements=("mylib @ file:///no/such/folder",))

    ended = site.wait_until_ended(run)

    assert ended.status == "Failed"
    assert "/no/such/folder" in ended.error
    assert b"/no/such/folder" in site.log(run, "system_logs/environment.txt")


def test_a_run_can_be_canceled_while_its_packages_are_made(site, worker):
    slow = {**PACKAGE, "mylib/backend.py": "import time; print('building', flush=True); time.sleep(60)"}
    run = site.submit("pass", files=slow, requirements=("./mylib",))
    wait_for(lambda: b"Making a Python environment" in site.log(run, "system_logs/run.txt"))

    site.cancel(run)

    assert site.wait_until_ended(run).status == "Canceled"


def test_packages_that_never_end_to_install_fail_the_run_at_its_deadline(site):
    site.start_worker(STUDIO_PREPARE_SECONDS="1")
    endless = {**PACKAGE, "mylib/backend.py": "import time; print('building', flush=True); time.sleep(600)"}

    run = site.submit("pass", files=endless, requirements=("./mylib",), compute_target="spare")
    ended = site.wait_until_ended(run)

    assert (ended.status, ended.reason) == ("Failed", "It could not be started.")
    assert ended.error == "Its packages were not installed within 1 s."
    assert marked(f"{run.pk}.1/code/mylib") == []


@pytest.fixture
def environments(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path

    def make(name, used_at, size):
        folder = tmp_path / "environments" / name
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"x" * size)
        (folder / "ready").touch()
        os.utime(folder / "ready", (used_at, used_at))

    return make


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "environments").glob("*/"))


def test_environments_go_by_age_and_by_size_the_longest_unused_first(environments, tmp_path):
    environments("ancient", used_at=0, size=10)
    environments("old", used_at=800, size=600)
    environments("recent", used_at=900, size=600)

    removed = packages.prune(max_age_seconds=500, max_bytes=1000, now=1000)

    assert (removed, left(tmp_path)) == (2, ["recent"])


def test_an_environment_in_use_stays(environments, tmp_path):
    environments("used", used_at=0, size=10)
    with (tmp_path / "environments" / "used.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)

        assert packages.prune(max_age_seconds=1, max_bytes=1, now=1000) == 0

    assert packages.prune(max_age_seconds=1, max_bytes=1, now=1000) == 1
