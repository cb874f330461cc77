"""Workspaces, experiments and compute targets; and how the server is found."""

import json

import pytest

from runs.management import local_token
from studio_sdk import connection
from studio_sdk.connection import Login
from studio_sdk.core import ComputeTarget, Experiment, Run, ScriptRunConfig, Workspace
from studio_sdk.core.authentication import InteractiveLoginAuthentication, TokenAuthentication
from studio_sdk.core.experiment import ViewType
from studio_sdk.exceptions import (
    AuthenticationException,
    ComputeTargetException,
    NotAvailable,
    ServerUnreachable,
    UserErrorException,
    WorkspaceException,
)
from studio_sdk.transport import Client
from studio_sdk.widgets import RunDetails


def test_from_config_finds_the_file_from_any_folder_below(workspace, folder, monkeypatch):
    workspace.write_config()
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")

    assert Workspace.from_config() == workspace
    assert Workspace.from_config(folder / "a") == workspace


@pytest.mark.parametrize("place", [".azureml/config.json", "aml_config/project.json", "config.json"])
@pytest.mark.parametrize(
    "content",
    [
        {"subscription_id": "s", "resource_group": "g", "workspace_name": "default"},
        {"Id": "i", "Scope": "/subscriptions/s/resourceGroups/g/providers/M/workspaces/default"},
    ],
)
def test_files_of_azure_ml_are_read_in_both_forms(workspace, folder, place, content):
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text(json.dumps(content))

    found = Workspace.from_config()

    assert (found.name, found.subscription_id, found.resource_group) == ("default", "s", "g")


def test_without_a_file_it_says_what_to_run(folder):
    with pytest.raises(UserErrorException, match="folder attach"):
        Workspace.from_config()


def test_a_file_without_a_workspace_is_named(folder):
    (folder / "config.json").write_text("{}")

    with pytest.raises(UserErrorException, match=r"config\.json"):
        Workspace.from_config()


def test_a_workspace_that_is_not_there_names_those_that_are(signed_in):
    with pytest.raises(WorkspaceException, match="yours: default"):
        Workspace.get("nowhere")


def test_create_takes_what_is_there(signed_in):
    assert Workspace.create("default", exist_ok=True).name == "default"
    with pytest.raises(WorkspaceException):
        Workspace.create("default")
    with pytest.raises(NotAvailable, match="admin"):
        Workspace.create("new")


def test_a_workspace_knows_its_parts(workspace, experiment, run, signed_in):
    assert list(Workspace.list()) == ["default"]
    assert workspace.experiments == {"explore-runs": experiment}
    assert workspace.compute_targets["local"].slots == 2
    assert workspace.location == signed_in
    assert workspace.get_details()["name"] == "default"
    assert workspace.get_default_compute_target().name == "local"
    with pytest.raises(NotAvailable, match="outputs"):
        workspace.get_default_datastore()


def test_compute_targets(workspace):
    assert ComputeTarget(workspace, "local").provisioning_state == "Succeeded"
    with pytest.raises(ComputeTargetException, match="local"):
        ComputeTarget(workspace, "gpu")
    with pytest.raises(NotAvailable, match=r"manage\.py"):
        ComputeTarget.create(workspace, "gpu")


def test_an_experiment_is_made_once(workspace):
    assert Experiment(workspace, "a") == Experiment(workspace, "a")
    assert [each.name for each in Experiment.list(workspace)] == ["a"]


@pytest.mark.parametrize("name", ["", " ", None, "x" * 501])
def test_a_bad_name_is_refused(workspace, name):
    with pytest.raises(UserErrorException):
        Experiment(workspace, name)


def test_an_experiment_whose_name_has_a_slash(workspace, folder):
    experiment = Experiment(workspace, "team/churn~1")

    run = experiment.start_logging(snapshot_directory=None)

    assert [each.id for each in experiment.get_runs()] == [run.id]
    experiment.tag("a", 1)
    assert experiment.tags == {"a": "1"}


def test_an_experiment_is_archived_and_brought_back(experiment, workspace):
    experiment.archive()
    assert workspace.experiments == {}
    assert Experiment.list(workspace, view_type=ViewType.ArchivedOnly) == [experiment]

    experiment.reactivate()
    assert Experiment.list(workspace, experiment_name="explore-runs") == [experiment]


def test_tags_of_an_experiment(experiment, workspace):
    experiment.set_tags({"team": "vision", "pinned": None})
    experiment.remove_tags(["pinned"])
    experiment.refresh()

    assert experiment.tags == {"team": "vision"}
    assert Experiment.list(workspace, tags={"team": "vision"}) == [experiment]
    assert Experiment.list(workspace, tags="pinned") == []


def test_runs_are_found_by_tags_and_properties_to_the_letter(experiment):
    runs = [experiment.start_logging(snapshot_directory=None) for _ in range(3)]
    runs[0].tag("quality", 'fantastic "run"')
    runs[1].tag("quality", 'FANTASTIC "run"')
    runs[2].tag("worth another look")
    runs[2].add_properties({"author": "azureml-user"})
    runs[2].tag("empty", "")

    def ids(**filters):
        return [run.id for run in experiment.get_runs(**filters)]

    assert ids() == [run.id for run in reversed(runs)]
    assert ids(tags={"quality": 'fantastic "run"'}) == [runs[0].id]
    assert ids(tags="quality") == [runs[1].id, runs[0].id]
    assert ids(tags="worth another look", properties={"author": "azureml-user"}) == [runs[2].id]
    assert ids(tags={"worth another look": None}) == [runs[2].id]
    assert ids(tags={"empty": ""}) == [runs[2].id]
    assert ids(tags="fantastic") == []


def test_runs_are_found_by_type_status_and_with_children(experiment):
    run = experiment.start_logging(snapshot_directory=None)
    child = run.child_run()
    run.complete()

    assert [each.id for each in experiment.get_runs(include_children=True)] == [child.id, run.id]
    assert [each.id for each in Run.list(experiment, status="Completed")] == [run.id]
    assert list(experiment.get_runs(type="azureml.scriptrun")) == []
    assert len(list(experiment.get_runs(type="interactive"))) == 1
    with pytest.raises(UserErrorException, match="script"):
        list(experiment.get_runs(type="nonsense"))


def test_runs_of_a_compute_target(experiment, workspace, folder):
    (folder / "a.py").write_text("")
    run = experiment.submit(ScriptRunConfig(".", "a.py"))

    assert [each.id for each in Run.list_by_compute(workspace.compute_targets["local"])] == [run.id]


def test_more_runs_than_a_page(experiment, monkeypatch):
    run = experiment.start_logging(snapshot_directory=None)
    run.create_children(count=450)

    assert len({child.id for child in run.get_children()}) == 450


def test_a_run_is_summed_up(run, capsys):
    run.log("alpha", 1)
    run.flush()

    RunDetails(run).show()

    out = capsys.readouterr().out
    assert run.id in out
    assert "alpha" in out
    assert "<table>" in RunDetails(run)._repr_html_()


# --- How the server is found --------------------------------------------------------------------


def test_a_token_may_be_given(server, token):
    assert Workspace.get("default", auth=TokenAuthentication(token, server)).name == "default"
    header = TokenAuthentication(token, server).get_authentication_header()
    assert header == {"Authorization": f"Bearer {token}"}


def test_azures_ways_to_sign_in_lead_to_ours(signed_in):
    auth = InteractiveLoginAuthentication(tenant_id="x", force=True)

    assert Workspace.get("default", auth=auth).name == "default"


def test_without_any_login_it_says_what_to_run(folder):
    with pytest.raises(AuthenticationException, match="studio login"):
        connection.find_login()


def test_the_environment_wins_over_what_is_stored(monkeypatch):
    connection.store_login(Login("http://stored:1", "stored"))
    monkeypatch.setenv("STUDIO_URL", "http://given:2")
    monkeypatch.setenv("STUDIO_TOKEN", "given")

    assert connection.find_login() == Login("http://given:2", "given")
    assert connection.find_login("http://stored:1/") == Login("http://stored:1", "stored")


def test_the_latest_login_is_the_default():
    connection.store_login(Login("http://a:1", "a"))
    connection.store_login(Login("http://b:1", "b"))

    assert connection.find_login().url == "http://b:1"


def test_the_same_user_is_signed_in_to_the_server_of_this_machine(server, person, settings, monkeypatch):
    local_token.write(user=person, address=server)
    monkeypatch.setenv("STUDIO_HOME", str(settings.STUDIO_HOME))

    assert local_token.path().stat().st_mode & 0o777 == 0o600
    assert Client(server, token=connection.find_login().token).get("/me")["username"] == "olivia"


def test_the_token_of_this_machine_is_kept_while_it_is_good(server, person, settings):
    local_token.write(user=person, address=server)
    first = json.loads(local_token.path().read_text())
    local_token.write(user=person, address="http://127.0.0.1:9999")
    second = json.loads(local_token.path().read_text())

    assert first["token"] == second["token"]
    assert second["url"] == "http://127.0.0.1:9999"


def test_a_token_that_others_can_read_is_not_used(server, person, settings, monkeypatch, capsys):
    local_token.write(user=person, address=server)
    local_token.path().chmod(0o644)
    monkeypatch.setenv("STUDIO_HOME", str(settings.STUDIO_HOME))

    with pytest.raises(AuthenticationException):
        connection.find_login()
    assert "chmod 600" in capsys.readouterr().err


def test_a_wrong_token_is_said(server):
    with pytest.raises(AuthenticationException, match="does not accept"):
        Workspace.get("default", auth=TokenAuthentication("stu_wrong", server))


def test_a_server_that_is_not_there_is_said():
    with pytest.raises(ServerUnreachable, match="Is the server running"):
        Client("http://127.0.0.1:1", retry_seconds=0.2).get("/me")


def test_an_address_that_is_none_is_said():
    with pytest.raises(AuthenticationException, match="http://HOST"):
        Client("localhost:8000")
