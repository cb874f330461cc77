"""All addresses of the site but the admin console's."""

from django.urls import URLPattern, URLResolver, path, register_converter

from runs.api.mlflow import addresses as mlflow
from runs.api.v1 import api as api_v1
from runs.views import (
    compute_list,
    experiment_detail,
    experiment_list,
    health,
    home,
    metrics,
    password_change,
    pipeline_draft,
    pipeline_draft_form,
    pipeline_draft_run,
    pipeline_draft_upload,
    pipeline_drafts,
    pipeline_list,
    pipeline_run_tools,
    preferences,
    published_pipeline,
    published_pipelines,
    run_actions,
    run_children,
    run_compare,
    run_detail,
    run_download,
    run_frame,
    run_graph,
    run_images,
    run_metrics,
    run_monitoring,
    run_outputs,
    run_page,
    run_raw,
    run_snapshot,
    run_submit,
    run_zip,
    runs_bulk,
    runs_export,
    schedule,
    search_completion,
    sign_in,
    styles,
    table_edit,
    table_views,
    theme,
    token_hand_over,
    token_list,
    trash_list,
)


class ExperimentNameConverter:
    """An experiment's name in an address. `/` and `~` are written `~2F` and `~7E`: servers decode %2F too early."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """Return the name that the address means."""
        return value.replace("~2F", "/").replace("~7E", "~")

    def to_url(self, value: str) -> str:
        """Return the name as it is written in an address."""
        return value.replace("~", "~7E").replace("/", "~2F")


register_converter(ExperimentNameConverter, "experiment")

_WORKSPACE = "w/<str:workspace_name>/"
_RUN = "runs/<str:run_id>/"
_DRAFT = _WORKSPACE + "pipelines/drafts/<str:draft_id>/"
_PUBLISHED = _WORKSPACE + "pipelines/published/<str:pipeline_id>/"
_EXPERIMENT = _WORKSPACE + "experiments/<experiment:experiment_name>/"

urlpatterns: list[URLPattern | URLResolver] = [
    # For load balancers and monitors.
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    # Programs.
    path("api/v1/", api_v1.addresses()),
    *mlflow.addresses(_WORKSPACE),
    # People.
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/<str:secret>/", sign_in.sign_in_link, name="sign_in_link"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("password/", password_change.password_change, name="password_change"),
    path("styles/", styles.styles, name="styles"),
    path("theme/", theme.theme, name="theme"),
    path("language/", preferences.set_language, name="set_language"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("shortcuts/", preferences.shortcuts, name="shortcuts"),
    path("tokens/", token_list.token_list, name="token_list"),
    path("tokens/hand-over/", token_hand_over.token_hand_over, name="token_hand_over"),
    path("tokens/<int:token_id>/revoke/", token_list.token_revoke, name="token_revoke"),
    # A workspace.
    path("", home.home, name="home"),
    path(_WORKSPACE, home.workspace_home, name="workspace_home"),
    path(_WORKSPACE + "pipelines/", pipeline_list.pipeline_list, name="pipeline_list"),
    path(_WORKSPACE + "pipelines/runs/", pipeline_list.pipeline_run_list, name="pipeline_run_list"),
    path(_WORKSPACE + "pipelines/drafts/", pipeline_drafts.pipeline_draft_list, name="pipeline_draft_list"),
    path(_WORKSPACE + "pipelines/drafts/new/", pipeline_drafts.pipeline_draft_new, name="pipeline_draft_new"),
    path(
        _WORKSPACE + "pipelines/published/", published_pipelines.published_pipeline_list, name="published_pipeline_list"
    ),
    path(
        _WORKSPACE + "pipelines/published/enable/",
        published_pipelines.published_pipelines_enable,
        name="published_pipelines_enable",
    ),
    path(_PUBLISHED, published_pipeline.published_pipeline, name="published_pipeline"),
    path(_PUBLISHED + "clone/", published_pipeline.published_pipeline_clone, name="published_pipeline_clone"),
    path(_PUBLISHED + "schedules/new/", schedule.schedule_new, name="schedule_new"),
    path("schedules/<str:schedule_id>/", schedule.schedule_edit, name="schedule_edit"),
    path("schedules/<str:schedule_id>/pause/", schedule.schedule_pause, name="schedule_pause"),
    path("schedules/<str:schedule_id>/delete/", schedule.schedule_delete, name="schedule_delete"),
    path(_DRAFT, pipeline_draft.pipeline_draft, name="pipeline_draft"),
    path(_DRAFT + "form/", pipeline_draft_form.pipeline_draft_form, name="pipeline_draft_form"),
    path(_DRAFT + "yaml/", pipeline_draft_form.pipeline_draft_yaml, name="pipeline_draft_yaml"),
    path(_DRAFT + "run/", pipeline_draft_run.pipeline_draft_run, name="pipeline_draft_run"),
    path(_DRAFT + "save/", pipeline_draft.pipeline_draft_save, name="pipeline_draft_save"),
    path(_DRAFT + "layout/", pipeline_draft.pipeline_draft_layout, name="pipeline_draft_layout"),
    path(_DRAFT + "component/", pipeline_draft.pipeline_draft_component, name="pipeline_draft_component"),
    path(_DRAFT + "upload/", pipeline_draft_upload.pipeline_draft_upload, name="pipeline_draft_upload"),
    path(_DRAFT + "delete/", pipeline_drafts.pipeline_draft_delete, name="pipeline_draft_delete"),
    path(_WORKSPACE + "change-runs/", runs_bulk.runs_bulk, name="runs_bulk"),
    path(_WORKSPACE + "runs.<str:form>", runs_export.runs_export, name="runs_export"),
    path(_WORKSPACE + "edit-table/", table_edit.columns_edit, name="runs_columns"),
    path("star-run/", runs_bulk.run_star, name="run_star"),
    path(_WORKSPACE + "archive-experiments/", experiment_list.experiments_archive, name="experiments_archive"),
    path(_WORKSPACE + "restore-experiments/", experiment_list.experiments_restore, name="experiments_restore"),
    path(_WORKSPACE + "search/complete/", search_completion.search_completion, name="search_completion"),
    path(_WORKSPACE + "search/save/", search_completion.search_save, name="search_save"),
    path(_WORKSPACE + "search/used/", search_completion.search_used, name="search_used"),
    path(_WORKSPACE + "trash/", trash_list.trash_list, name="trash_list"),
    path(_WORKSPACE + "trash/restore/", trash_list.trash_restore, name="trash_restore"),
    path(_WORKSPACE + "trash/rules/", trash_list.retention_rules, name="retention_rules"),
    # Experiments. A tile comes last: its name is any word.
    path(_WORKSPACE + "experiments/", experiment_list.experiment_list, name="experiment_list"),
    path(_EXPERIMENT, experiment_detail.experiment_detail, name="experiment_detail"),
    path(_EXPERIMENT + "delete/", trash_list.experiment_delete, name="experiment_delete"),
    path(_EXPERIMENT + "archive/", experiment_detail.experiment_archive, name="experiment_archive"),
    path(_EXPERIMENT + "restore/", experiment_detail.experiment_restore, name="experiment_restore"),
    path(_EXPERIMENT + "edit-table/", table_edit.columns_edit, name="experiment_columns"),
    path(_EXPERIMENT + "edit-chart/", table_edit.chart_edit, name="chart_edit"),
    path(_EXPERIMENT + "views/save/", table_views.view_save, name="view_save"),
    path(_EXPERIMENT + "views/default/", table_views.view_default, name="view_default"),
    path(_EXPERIMENT + "views/<int:view_id>/", table_views.view_open, name="view_open"),
    path(_EXPERIMENT + "views/<int:view_id>/delete/", table_views.view_delete, name="view_delete"),
    path(_EXPERIMENT + "runs.<str:form>", runs_export.runs_export, name="experiment_export"),
    path(_EXPERIMENT + "<str:tile>/", experiment_detail.experiment_detail, name="experiment_tile"),
    # Compute.
    path("compute/", compute_list.compute_list, name="compute_list"),
    # Runs.
    path(_WORKSPACE + "compare/", run_compare.run_compare, name="run_compare"),
    path(_WORKSPACE + "new-run/", run_submit.run_submit, name="run_submit"),
    path(_RUN, run_detail.run_detail, name="run_detail"),
    path(_RUN + "metrics/", run_metrics.run_metrics, name="run_metrics"),
    path(_RUN + "metrics/curves/", run_metrics.run_curves, name="run_curves"),
    path(_RUN + "graph/", run_graph.run_graph, name="run_graph"),
    path(_RUN + "images/", run_images.run_images, name="run_images"),
    path(_RUN + "monitoring/", run_monitoring.run_monitoring, name="run_monitoring"),
    path(_RUN + "clone/", pipeline_run_tools.pipeline_run_clone, name="pipeline_run_clone"),
    path(_RUN + "resume/", pipeline_run_tools.pipeline_run_resume, name="pipeline_run_resume"),
    path(_RUN + "publish/", pipeline_run_tools.pipeline_run_publish, name="pipeline_run_publish"),
    path(_RUN + "children/", run_children.run_children, name="run_children"),
    path(_RUN + "outputs/", run_outputs.run_outputs, name="run_outputs"),
    path(_RUN + "outputs/tail/", run_outputs.run_log_tail, name="run_log_tail"),
    path(_RUN + "outputs/count/", run_outputs.run_log_count, name="run_log_count"),
    path(_RUN + "outputs/download/", run_download.run_download, name="run_download"),
    path(_RUN + "outputs/zip/", run_zip.run_zip, name="run_zip"),
    path(_RUN + "outputs/frame/", run_frame.run_frame, name="run_frame"),
    path(_RUN + "snapshot/", run_snapshot.run_snapshot, name="run_snapshot"),
    path(_RUN + "snapshot/download/", run_snapshot.run_snapshot_download, name="run_snapshot_download"),
    path(_RUN + "snapshot/patch/", run_snapshot.run_patch_download, name="run_patch_download"),
    path(_RUN + "raw/", run_raw.run_raw, name="run_raw"),
    path(_RUN + "raw/download/", run_raw.run_raw_download, name="run_raw_download"),
    path(_RUN + "status/", run_page.run_status, name="run_status"),
    path(_RUN + "cancel/", run_actions.run_cancel, name="run_cancel"),
    path(_RUN + "resubmit/", run_actions.run_resubmit, name="run_resubmit"),
    path(_RUN + "delete/", trash_list.run_delete, name="run_delete"),
    path(_RUN + "tags/", run_actions.run_tags, name="run_tags"),
    path(_RUN + "describe/", run_actions.run_describe, name="run_describe"),
]
