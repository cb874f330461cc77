"""The New run page: what it submits, what it refuses and where, and what it keeps."""

import io
import zipfile
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from runs.actions import snapshots
from runs.models import Experiment, Run


@pytest.fixture(autouse=True)
def home(tmp_path, settings, local):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def address(workspace):
    return reverse("run_submit", args=[workspace.name])


def script(name="train.py", text="print('hello')\n"):
    return SimpleUploadedFile(name, text.encode())


def fields(**changes):
    return {
        "experiment": "first-steps",
        "compute_target": "local",
        "requirements": "auto",
        "upload": script(),
        **changes,
    }


def test_a_script_becomes_a_queued_run_with_all_that_was_typed(client_for, team_mate, address):
    answer = client_for(team_mate).post(
        address,
        fields(
            arguments="--name 'a b'\n--alpha 0.5",
            environment_variables="A=1\nB=x=y",
            tags="quality=fantastic run\nkeep",
            display_name="Try",
            description="*first*",
            max_run_duration_seconds="1h 30m",
            priority="5",
            not_before="2099-01-02T03:04",
            max_retries="2",
            retries_lost_workers="on",
            memory_bytes="1.5 GB",
            process_count="10",
            cpu_seconds="2m",
            file_bytes="500k",
        ),
    )

    run = Run.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == run.get_absolute_url()
    assert (run.status, run.script, run.experiment.name) == ("Queued", "train.py", "first-steps")
    assert run.arguments == ["--name", "a b", "--alpha", "0.5"]
    assert run.environment_variables == {"A": "1", "B": "x=y"}
    assert dict(run.tags.values_list("key", "value")) == {"quality": "fantastic run", "keep": None}
    assert (run.display_name, run.description, run.max_run_duration_seconds) == ("Try", "*first*", 5400)
    assert (run.priority, run.max_retries, run.retries_lost_workers) == (5, 2, True)
    assert run.not_before == datetime(2099, 1, 2, 3, 4, tzinfo=UTC)
    assert (run.memory_bytes, run.process_count, run.cpu_seconds, run.file_bytes) == (1610612736, 10, 120, 512000)


def test_what_is_not_typed_is_the_usual(client_for, team_mate, address):
    client_for(team_mate).post(address, fields())

    run = Run.objects.get()
    assert (run.priority, run.not_before, run.max_retries, run.retries_lost_workers) == (0, None, 0, False)
    assert (run.memory_bytes, run.process_count, run.cpu_seconds, run.file_bytes) == (None, None, None, None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("memory_bytes", "much", "Expected a size such as 500 MB"),
        ("memory_bytes", "1k", "expected 16,777,216 to"),
        ("cpu_seconds", "soon", "Expected a duration"),
        ("priority", "5000", "less than or equal to 1000"),
        ("process_count", "0", "greater than or equal to 1"),
        ("not_before", "tomorrow", "Enter a valid date/time."),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_beside_its_open_field(client_for, team_mate, address, name, text, said):
    answer = client_for(team_mate).post(address, fields(**{name: text}))

    assert answer.status_code == 422
    assert any(said in error for error in answer.context["form"].errors[name])
    assert answer.context["is_line_open"]
    assert not Run.objects.exists()


def test_several_files_take_their_requirements_along(client_for, team_mate, address):
    upload = [script("main.py"), script("helper.py"), script("requirements.txt", "numpy\n")]

    client_for(team_mate).post(address, fields(upload=upload))

    run = Run.objects.get()
    assert (run.script, run.requirements) == ("main.py", "requirements.txt")


def test_a_file_may_be_empty(client_for, team_mate, address):
    client_for(team_mate).post(address, fields(upload=[script("main.py"), script("__init__.py", "")], script="main.py"))

    assert snapshots.paths(Run.objects.get().snapshot) == {"main.py", "__init__.py"}


def test_requirements_may_be_left_out(client_for, team_mate, address):
    client_for(team_mate).post(
        address, fields(upload=[script(), script("requirements.txt", "numpy\n")], requirements="none")
    )

    assert Run.objects.get().requirements is None


def test_a_zip_is_unpacked(client_for, team_mate, address):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pkg/train.py", "print(1)\n")
        archive.writestr("data.csv", "a,b\n")

    client_for(team_mate).post(address, fields(upload=SimpleUploadedFile("code.zip", packed.getvalue())))

    run = Run.objects.get()
    assert run.script == "pkg/train.py"
    assert snapshots.paths(run.snapshot) == {"pkg/train.py", "data.csv"}


@pytest.mark.parametrize("name", ["hello", "diabetes_ridge", "noisy"])
def test_an_example_runs_with_one_click(client_for, team_mate, address, name):
    answer = client_for(team_mate).post(address, {"example": name})

    run = Run.objects.get()
    assert answer["Location"] == run.get_absolute_url()
    assert run.experiment.name == name
    assert run.requirements == ("requirements.txt" if name == "diabetes_ridge" else None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"experiment": ""}, "experiment"),
        ({"experiment": "  bad\x01name"}, "experiment"),
        ({"upload": []}, "upload"),
        ({"upload": [script("a.py"), script("b.py")]}, "script"),
        ({"upload": script("notes.txt")}, "script"),
        ({"script": "other.py"}, "script"),
        ({"arguments": "--name 'a"}, "arguments"),
        ({"environment_variables": "no equals sign"}, "environment_variables"),
        ({"environment_variables": "1A=x"}, "environment_variables"),
        ({"tags": "=value"}, "tags"),
        ({"max_run_duration_seconds": "soon"}, "max_run_duration_seconds"),
        ({"max_run_duration_seconds": "900d"}, "max_run_duration_seconds"),
        ({"compute_target": "nowhere"}, "compute_target"),
        ({"example": "nothing", "upload": []}, "example"),
    ],
)
def test_a_mistake_is_shown_beside_its_field_and_nothing_is_submitted(client_for, team_mate, address, changes, field):
    answer = client_for(team_mate).post(address, fields(**{"description": "typed text", **changes}))

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert b"typed text" in answer.content
    assert not Run.objects.exists()


def test_files_are_kept_when_another_field_is_wrong(client_for, team_mate, address):
    client = client_for(team_mate)
    refused = client.post(address, fields(arguments="'", display_name="Try"))
    form = refused.context["form"]
    kept = form.data["kept_upload"]

    client.post(address, {**fields(kept_upload=kept), "upload": []})

    assert "1 file of your upload is kept" in refused.content.decode()
    assert (form["arguments"].value(), form["display_name"].value()) == ("'", "Try")
    assert Run.objects.get().script == "train.py"


def test_a_forged_upload_is_none(client_for, team_mate, address):
    answer = client_for(team_mate).post(address, {**fields(kept_upload="1:forged"), "upload": []})

    assert list(answer.context["form"].errors) == ["upload"]


def test_the_same_form_twice_is_one_run(client_for, team_mate, address):
    client = client_for(team_mate)

    first = client.post(address, fields(idempotency_key="key1"))
    second = client.post(address, fields(idempotency_key="key1", upload=script()))

    assert first["Location"] == second["Location"]
    assert Run.objects.count() == 1


def test_the_form_begins_with_what_the_address_says(client_for, team_mate, experiment, address):
    page = client_for(team_mate).get(address, {"experiment": experiment.name})

    assert page.status_code == 200
    assert f'value="{experiment.name}"' in page.content.decode()


def test_a_reader_may_look_but_not_submit(client_for, reader, address):
    client = client_for(reader)

    assert client.get(address).status_code == 200
    assert client.post(address, fields()).status_code == 403
    assert not Experiment.objects.exists()


def test_a_stranger_finds_no_such_page(client_for, stranger, address):
    assert client_for(stranger).get(address).status_code == 404


def test_whoever_is_not_signed_in_is_sent_to_the_sign_in(client, address):
    assert client.get(address)["Location"].startswith("/sign-in/?next=")
