"""The Snapshot tab: the source files as they were submitted."""

from pathlib import PurePosixPath

from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from runs import permissions, storage
from runs.actions import git_patches, snapshots
from runs.models import Property, Run
from runs.views import file_tabs, live, run_code, run_page, run_tree
from runs.views.request import SignedInRequest

_TEXT_PROBE_BYTES = 8_000
_GIT = "azureml.git."


@require_GET
def run_snapshot(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the files, and the code of the one that `?path=` names: at first the script. Or, by `?patch=`, the patch."""
    run = permissions.get_run(request.user, run_id)

    has_snapshot = run.snapshot is not None and storage.has_snapshot(run.snapshot.digest)
    members = snapshots.list_members(run.snapshot) if run.snapshot and has_snapshot else []
    paths = [member.path for member in members]
    path = request.GET.get("path") or (run.script if run.script in paths else next(iter(paths), ""))
    if request.GET.get("path") and path not in paths:
        raise Http404
    patch = git_patches.of(run)
    if shows_patch := bool(patch) and "patch" in request.GET:
        path = ""

    state = file_tabs.of_query(request.GET, path=path)
    tree = run_tree.build(((member.path, member.size_bytes) for member in members), chosen=path, look=state.look)
    context = run_page.frame(request, run, tab="run_snapshot") | {
        "has_snapshot": has_snapshot,
        "path": path,
        "tree": state.address(tree, path),
        "state": state,
        "tabs_of_files": state.tabs(path),
        "code": None,
        "git": _git(run),
        "has_patch": bool(patch),
        "patch": None,
    }
    if live.is_partial(request):
        return live.respond(request, "run/run_snapshot.html", context, fragment="run-tree")
    if shows_patch:
        context["patch"] = _shown("changes.patch", patch)
    elif run.snapshot and path:
        data = snapshots.read_member(run.snapshot, path, limit_bytes=run_code.SHOWN_BYTES + 1)
        if b"\x00" not in data[:_TEXT_PROBE_BYTES]:
            context["code"] = _shown(PurePosixPath(path).name, data)
    return live.respond(request, "run/run_snapshot.html", context, fragment="run-tree")


@require_GET
def run_snapshot_download(request: SignedInRequest, run_id: str) -> HttpResponseBase:
    """Send the whole snapshot as a zip."""
    run = permissions.get_run(request.user, run_id)
    if run.snapshot is None or not storage.has_snapshot(run.snapshot.digest):
        raise Http404

    handle = storage.open_snapshot(run.snapshot.digest)
    return FileResponse(
        handle, as_attachment=True, filename=f"snapshot-{run.snapshot.digest[:12]}.zip", content_type="application/zip"
    )


@require_GET
def run_patch_download(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Send the uncommitted changes as a file that `git apply` takes."""
    run = permissions.get_run(request.user, run_id)
    patch = git_patches.of(run)
    if not patch:
        raise Http404

    headers = {"Content-Disposition": f'attachment; filename="{run.run_id}.patch"'}
    return HttpResponse(patch, content_type="application/octet-stream", headers=headers)


def _shown(name: str, data: bytes) -> run_code.Code:
    is_cut = len(data) > run_code.SHOWN_BYTES
    return run_code.of_file(name, data[: run_code.SHOWN_BYTES], is_cut=is_cut)


def _git(run: Run) -> dict[str, str]:
    """Return what git said of the code: commit, branch, repository_uri, dirty."""
    facts = Property.objects.filter(run=run, key__startswith=_GIT).values_list("key", "value")
    return {key.removeprefix(_GIT): value for key, value in facts}
