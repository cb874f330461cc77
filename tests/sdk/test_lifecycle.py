"""Interactive runs: started, completed, failed, canceled, in and out of `with`."""

import pytest

from studio_sdk.core import Run
from studio_sdk.exceptions import ServiceException, UserErrorException


def test_a_started_run_is_running_and_makes_the_outputs_folder(experiment, folder):
    run = experiment.start_logging(snapshot_directory=None)

    assert run.get_status() == "Running"
    assert (folder / "outputs").is_dir()


def test_a_started_run_takes_a_name_an_id_tags_and_properties(experiment):
    run = experiment.start_logging(
        run_id="my-run", display_name="First try", tags={"a": 1}, properties={"p": 2}, snapshot_directory=None
    )

    assert (run.id, run.display_name) == ("my-run", "First try")
    assert (run.get_tags(), run.get_properties()) == ({"a": "1"}, {"p": "2"})


def test_the_code_of_the_folder_is_kept_with_an_interactive_run(experiment, folder):
    (folder / "train.py").write_text("print(1)")

    run = experiment.start_logging()

    assert run.get_snapshot_id()


def test_a_folder_without_code_is_no_reason_to_fail(experiment, capsys):
    run = experiment.start_logging()

    assert run.get_status() == "Running"


def test_complete_ends_it(run):
    run.complete()

    assert run.get_status() == "Completed"


def test_a_final_status_is_not_asked_for_again(run, monkeypatch):
    run.complete()
    monkeypatch.setattr(type(run), "_fetch", lambda self: pytest.fail("asked"))

    assert run.get_status() == "Completed"


def test_what_was_logged_before_complete_is_there(run):
    run.log("a", 1)
    run.complete()

    assert run.get_metrics() == {"a": 1}


def test_fail_takes_a_text(run):
    run.fail("the data are wrong", error_code="DataError")

    assert run.get_details()["error"]["error"]["message"] == "DataError: the data are wrong"
    assert run.get_status() == "Failed"


def test_fail_takes_an_exception_with_its_trace(run):
    try:
        raise ValueError("no such column")
    except ValueError as error:
        run.fail(error)

    assert "Traceback" in run.get_details()["error"]["error"]["message"]


def test_cancel_of_an_interactive_run(run, row):
    run.cancel()

    assert run.get_status() == "Canceled"
    assert row(run).cancel_requested_by.username == "olivia"


def test_cancel_of_a_run_that_ended_is_refused(run):
    run.complete()

    with pytest.raises(ServiceException, match="ended"):
        run.cancel()


def test_leaving_the_block_completes(experiment):
    with experiment.start_logging(snapshot_directory=None) as run:
        assert run.get_status() == "Running"

    assert run.get_status() == "Completed"


def test_an_exception_in_the_block_fails_the_run_and_goes_on(experiment):
    with pytest.raises(ValueError, match="boom"), experiment.start_logging(snapshot_directory=None) as run:
        raise ValueError("boom")

    assert run.get_status() == "Failed"
    assert "boom" in run.get_details()["error"]["error"]["message"]


@pytest.mark.parametrize("code", [0, None])
def test_a_clean_exit_in_the_block_is_completed(experiment, code):
    with experiment.start_logging(snapshot_directory=None) as run:
        raise SystemExit(code)

    assert run.get_status() == "Completed"


def test_a_run_that_was_canceled_meanwhile_stays_so(experiment, capsys):
    with experiment.start_logging(snapshot_directory=None) as run:
        Run.get(experiment.workspace, run.id).cancel()

    assert run.get_status() == "Canceled"
    assert "ended" in capsys.readouterr().err


def test_outputs_written_since_the_start_are_uploaded_on_completion(experiment, folder):
    (folder / "outputs").mkdir()
    run = experiment.start_logging(snapshot_directory=None)
    (folder / "outputs" / "model.pkl").write_bytes(b"model")
    run.upload_file("outputs/model.pkl", "outputs/model.pkl")
    (folder / "outputs" / "deep").mkdir()
    (folder / "outputs" / "deep" / "notes.txt").write_text("notes")

    run.complete()

    assert run.get_file_names() == ["outputs/deep/notes.txt", "outputs/model.pkl"]


def test_details_have_the_keys_of_azure_ml(run):
    details = run.get_details()

    assert details["runId"] == run.id
    assert (details["status"], details["target"]) == ("Running", "sdk")
    assert {"startTimeUtc", "properties", "inputDatasets", "outputDatasets", "logFiles", "submittedBy"} <= set(details)
    assert "endTimeUtc" not in details
    assert "runDefinition" not in details


def test_the_detailed_status_has_a_reason(run):
    run.fail("because")

    assert run.get_detailed_status()["status"] == "Failed"
    assert "olivia" in run.get_detailed_status()["details"]


def test_display_name_and_description_can_be_set(run, experiment):
    run.display_name = "Best so far"
    run.description = "With *more* data."

    again = Run(experiment, run.id)
    assert (again.display_name, again.description) == ("Best so far", "With *more* data.")


def test_number_type_parent_and_experiment(run, experiment):
    assert (run.number, run.type, run.parent) == (1, None, None)
    assert run.experiment == experiment


def test_a_run_is_found_by_its_id(run, workspace, experiment):
    assert workspace.get_run(run.id) == Run.get(workspace, run.id) == Run(experiment, run.id) == run


def test_a_run_that_is_not_there_is_an_error(workspace):
    with pytest.raises(ServiceException) as caught:
        workspace.get_run("nothing")

    assert caught.value.status_code == 404


def test_the_text_and_html_of_a_run(run):
    assert repr(run) == f"Run(Experiment: explore-runs,\nId: {run.id},\nType: None,\nStatus: Running)"
    assert f"/runs/{run.id}/" in run._repr_html_()


def test_the_portal_url_is_the_page(run, signed_in):
    assert run.get_portal_url() == f"{signed_in}/runs/{run.id}/"


def test_a_file_name_that_leads_out_of_the_run_is_refused(run):
    with pytest.raises(UserErrorException, match="no name of a file"):
        run.upload_file("../x", __file__)
