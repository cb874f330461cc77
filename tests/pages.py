"""Every page of the site, with something on it: for tests that walk all of them.

A new address fails `test_every_address_is_walked` until it stands in `addresses` or in NO_PAGES.
"""

from io import BytesIO

from django.contrib.auth.models import User
from django.urls import reverse

from runs import storage
from runs.actions import recording, snapshots
from runs.models import ComputeTarget, Experiment, Run, Tag, Workspace
from runs.status import RunStatus
from tests import factories
from tests.runs.views import test_run_graph

# Addresses that answer with no page of ours, and why.
NO_PAGES = {
    "healthz": "for monitors",
    "readyz": "for monitors",
    "metrics": "for Prometheus",
    "mlflow_health": "for MLflow's clients",
    "mlflow_version": "for MLflow's clients",
    "home": "leads to the workspace's home",
    "view_open": "leads to the table as the view has it",
    "search_completion": "a part of the search bar",
    "run_status": "a part of a run's page",
    "run_curves": "a part of the metrics tab",
    "run_log_tail": "a part of the log",
    "run_log_count": "a part of the log",
    "run_frame": "a file of a user's, in a frame without rights",
    "run_download": "a file",
    "run_zip": "a file",
    "run_snapshot_download": "a file",
    "run_raw_download": "a file",
    "run_patch_download": "a file",
    "runs_export": "a file",
    "experiment_export": "a file",
    # What is done by POST, and leads to a page.
    **dict.fromkeys(
        (
            *(
                "sign_out",
                "set_language",
                "theme",
                "token_revoke",
                "run_star",
                "runs_bulk",
                "search_save",
                "search_used",
            ),
            *("experiments_archive", "experiments_restore", "experiment_archive", "experiment_restore"),
            *("experiment_delete", "trash_restore", "retention_rules", "view_save", "view_default", "view_delete"),
            *("run_cancel", "run_resubmit", "run_delete", "run_tags", "run_describe"),
            *("pipeline_run_clone", "pipeline_run_resume", "published_pipelines_enable", "published_pipeline_clone"),
            *(
                "schedule_pause",
                "schedule_delete",
                "pipeline_draft_new",
                "pipeline_draft_save",
                "pipeline_draft_layout",
            ),
            *("pipeline_draft_component", "pipeline_draft_upload", "pipeline_draft_delete"),
        ),
        "done by POST",
    ),
}
# Those that somebody who is signed in does not get to see.
FOR_STRANGERS = {"sign_in", "sign_in_link"}
LOG = "user_logs/std_log.txt"


def fill(workspace: Workspace, user: User, target: ComputeTarget) -> dict[str, str]:
    """Put something on every page, and return the addresses of all by name. Needs a STUDIO_HOME of its own."""
    # The page of styles is for staff.
    User.objects.filter(pk=user.pk).update(is_staff=True)
    factories.worker(kill_tier="cgroup", has_broker=False)
    experiment = factories.experiment(workspace, "diabetes", description="Ridge, **20 alphas**.")
    run = _run(experiment, user, target)
    other = factories.run(experiment, by=user, status=RunStatus.COMPLETED, compute_target=target)
    recording.log_metrics(run=other, points=[recording.Point("loss", value=0.5)], at=factories.NOON)
    waiting = factories.run(experiment, by=user, status=RunStatus.QUEUED, compute_target=target)
    factories.run(experiment, by=user, status=RunStatus.FAILED, parent=run, error="ValueError: no data")
    factories.run(experiment, by=user, status=RunStatus.COMPLETED, trashed_at=factories.NOON)
    pipeline = test_run_graph.pipeline_run(experiment, user, test_run_graph.DEFINITION)
    test_run_graph.step(pipeline, "prepare", RunStatus.COMPLETED, ended_at=factories.NOON, started_at=factories.NOON)
    test_run_graph.step(pipeline, "train", RunStatus.RUNNING, item={"model": "ridge"}, started_at=factories.NOON)
    test_run_graph.step(pipeline, "report", RunStatus.NOT_STARTED)
    draft = factories.pipeline_draft(workspace, by=user)
    published = factories.published_pipeline(workspace, by=user)
    schedule = factories.schedule(published, by=user)

    below = {name: [workspace.name] for name in _OF_A_WORKSPACE}
    below |= {name: [workspace.name, experiment.name] for name in _OF_AN_EXPERIMENT}
    below |= {name: [workspace.name, draft.draft_id] for name in _OF_A_DRAFT}
    below |= {name: [run.run_id] for name in _OF_A_RUN}
    below |= {name: [] for name in _OF_NOTHING}
    found = {name: reverse(name, args=arguments) for name, arguments in below.items()}
    return found | {
        "sign_in_link": reverse("sign_in_link", args=["secret"]),
        "experiment_tile": reverse("experiment_tile", args=[workspace.name, experiment.name, "failed"]),
        "run_compare": f"{found['run_compare']}?runs={run.run_id},{other.run_id}",
        "run_graph": f"{reverse('run_graph', args=[pipeline.run_id])}?step=train",
        "pipeline_run_publish": reverse("pipeline_run_publish", args=[pipeline.run_id]),
        "published_pipeline": published.get_absolute_url(),
        "schedule_new": reverse("schedule_new", args=[workspace.name, published.pipeline_id]),
        "schedule_edit": reverse("schedule_edit", args=[schedule.schedule_id]),
        # The same addresses in other states.
        "run_detail, waiting": waiting.get_absolute_url(),
        "run_graph, times": f"{reverse('run_graph', args=[pipeline.run_id])}?view=gantt",
        "run_outputs, a table": f"{found['run_outputs']}?path=outputs/scores.csv",
        "run_submit, again": f"{found['run_submit']}?from={run.run_id}",
        "run_metrics, a table": f"{found['run_metrics']}?view=table",
        "experiment_detail, a mistake": f"{reverse('experiment_detail', args=below['experiment_detail'])}?q=stauts:x",
        "nothing here": "/w/nowhere/",
    }


_OF_NOTHING = (
    *("sign_in", "password_change", "preferences", "shortcuts", "token_list", "token_hand_over"),
    *("compute_list", "styles"),
)
_OF_AN_EXPERIMENT = ("experiment_detail", "experiment_columns", "chart_edit")
_OF_A_WORKSPACE = (
    *("workspace_home", "experiment_list", "pipeline_list", "pipeline_run_list", "pipeline_draft_list"),
    *("published_pipeline_list", "runs_columns", "trash_list", "run_compare", "run_submit"),
)
_OF_A_DRAFT = ("pipeline_draft", "pipeline_draft_form", "pipeline_draft_yaml", "pipeline_draft_run")
_OF_A_RUN = (
    *("run_detail", "run_metrics", "run_images", "run_monitoring", "run_children", "run_outputs", "run_snapshot"),
    "run_raw",
)


def _run(experiment: Experiment, user: User, target: ComputeTarget) -> Run:
    """A run with something on each of its tabs."""
    code = b'"""Train."""\n\n\ndef train(alpha: float) -> float:\n    return alpha\n'
    snapshot = snapshots.store_files(
        workspace=experiment.workspace, files=[("train.py", BytesIO(code))], at=factories.NOON
    )
    run = factories.run(
        experiment,
        by=user,
        compute_target=target,
        status=RunStatus.COMPLETED,
        snapshot=snapshot,
        description="A **first** try.",
        started_at=factories.NOON,
        duration_seconds=94.5,
        retries_lost_workers=True,
    )
    factories.attempt(run, ended_at=factories.NOON)
    Tag.objects.create(run=run, key="quality", value="fantastic run")
    recording.log_params(run=run, params={"alpha": 0.5, "solver": "svd"})
    points = [recording.Point("loss", step=step, value=1 / (step + 1), at=factories.NOON) for step in range(40)]
    points.append(recording.Point("samples", step=1, text="images/one.png", kind="image"))
    recording.log_metrics(run=run, points=points, at=factories.NOON)
    recording.save_artifact(run=run, path="outputs/scores.csv", chunks=[b"alpha,mse\n0.1,3\n"], at=factories.NOON)
    storage.append_log(run.pk, LOG, b"\x1b[32mready\x1b[0m\nline 2\n", offset=0)
    return run
