"""The Outputs + logs tab: the tree of files, and one of them: a log by windows of lines, others as a preview."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from runs import permissions
from runs.models import Run
from runs.storage import lines
from runs.views import ansi, file_tabs, live, run_files, run_page, run_tree
from runs.views.request import SignedInRequest

_TREE_SECONDS = 5
# How far back the color of a window's first line is looked for.
_STYLE_BYTES = 8 * 1024
# A tail that fell further behind than this jumps to the end.
_FURTHEST_BEHIND = 2 * lines.WINDOW_BYTES
_LONGEST_WORDS = 200


@dataclass(frozen=True)
class ShownLine:
    """A line as the page shows it."""

    number: int | None
    html: SafeString
    is_marked: bool = False
    is_continued: bool = False


@require_GET
def run_outputs(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Show the files and the one that `?path=` names: at first the script's own log.

    Of a log: the end, or the window around `line=12` or `line=12-20`, or the one that
    begins (`from`) or ends (`to`) at a byte; `find` lists lines with these words.
    """
    run = permissions.get_run(request.user, run_id)

    files = run_files.list_files(run)
    path = request.GET.get("path") or _first(run, files)
    file = next((file for file in files if file.path == path), None) or (run_files.find(run, path) if path else None)
    if file is None and request.GET.get("path"):
        raise Http404

    state = file_tabs.of_query(request.GET, path=path)
    tree = run_tree.build(((item.path, item.size_bytes) for item in files), chosen=path, look=state.look)
    tree_version = live.version_of(
        [(item.path, item.size_bytes) for item in files if not item.is_log], len(files), state
    )
    context = run_page.frame(request, run, tab="run_outputs") | {
        "version": tree_version,
        "tree_seconds": _TREE_SECONDS,
        "tree": state.address(tree, path),
        "tree_url": f"{request.path}{state.url(path)}",
        "state": state,
        "state_url": state.url(path),
        "file_count": len(files),
        "tabs_of_files": state.tabs(path),
        "file": file,
        "path": path,
        "download_url": _address("run_download", run, path=path),
        "folder_zip_url": _address("run_zip", run, folder=path.rpartition("/")[0]) if "/" in path else "",
        "frame_url": _address("run_frame", run, path=path),
        "is_framed": request.GET.get("as") == "page",
    }
    if live.is_partial(request):
        return live.respond(request, "run/run_outputs.html", context, fragment="run-tree", version=tree_version)
    if file is not None and file.is_log:
        context |= _log_context(request, run, path)
    elif file is not None:
        try:
            context["preview"] = run_files.preview(run, file)
        except FileNotFoundError as error:
            raise Http404 from error
    return live.respond(request, "run/run_outputs.html", context, fragment="run-tree")


@require_GET
def run_log_tail(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Answer a log's poll: the lines after byte `after`, and the next poll; 204 while there is nothing new."""
    run = permissions.get_run(request.user, run_id)

    path, after = request.GET.get("path", ""), _number(request.GET.get("after"))
    file = run_files.find(run, path) if path else None
    if file is None or after is None:
        raise Http404
    if not live.is_partial(request):
        return HttpResponse(status=302, headers={"Location": _address("run_outputs", run, path=path)})

    if file.size_bytes == _number(request.GET.get("seen")) and not run.is_terminal:
        return HttpResponse(status=204)
    index = lines.LineIndex(run.pk, path)
    has_gap = index.size_bytes - after > _FURTHEST_BEHIND
    if has_gap:
        window = lines.tail(run.pk, path, index=index)
    else:
        window = lines.window_from(run.pk, path, min(after, index.size_bytes), index=index)
    context = {"run": run, "path": path, "has_gap": has_gap, "poll_seconds": 1} | _tail_context(run, path, window)
    return live.respond(request, "run/_log_tail.html", context, fragment="log-tail")


@require_GET
def run_log_count(request: SignedInRequest, run_id: str) -> HttpResponse:
    """Count more lines of a great log; 204 until all are, then htmx loads the page again, with numbers."""
    run = permissions.get_run(request.user, run_id)

    path = request.GET.get("path", "")
    file = run_files.find(run, path) if path else None
    if file is None or not file.is_log:
        raise Http404

    index = lines.LineIndex(run.pk, path, budget_bytes=lines.SEARCH_BUDGET_BYTES)
    return HttpResponse(headers={"HX-Refresh": "true"}) if index.is_complete else HttpResponse(status=204)


def _log_context(request: SignedInRequest, run: Run, path: str) -> dict[str, Any]:
    index = lines.LineIndex(run.pk, path)
    first, last = _line_range(request.GET.get("line", ""))
    begin, end = _number(request.GET.get("from")), _number(request.GET.get("to"))
    is_missing = False
    if first is not None:
        offset = index.offset_of(first)
        is_missing = offset is None
        # Some lines before, so that one sees where one is.
        above = index.offset_of(max(1, first - 20))
        window = lines.window_from(run.pk, path, above or 0, index=index) if offset is not None else None
        window = window or lines.tail(run.pk, path, index=index)
    elif begin is not None:
        window = lines.window_from(run.pk, path, begin, index=index)
    elif end is not None:
        window = lines.window_before(run.pk, path, end, index=index)
    else:
        window = lines.tail(run.pk, path, index=index)

    is_at_end = window.end >= window.size_bytes
    words = request.GET.get("find", "")[:_LONGEST_WORDS]
    context: dict[str, Any] = {
        "is_at_end": is_at_end,
        "is_missing": is_missing,
        "is_counting": not window.is_counted,
        "count_url": _address("run_log_count", run, path=path),
        "asked_line": request.GET.get("line", ""),
        "words": words,
        "earlier_url": _address("run_outputs", run, path=path, to=window.start) if window.start else "",
        "later_url": "" if is_at_end else _address("run_outputs", run, path=path, **{"from": window.end}),
        "first_url": _address("run_outputs", run, path=path, **{"from": 0}),
        "last_url": _address("run_outputs", run, path=path),
        "size_bytes": window.size_bytes,
        "found": None,
    }
    context |= _tail_context(run, path, window, marked=(first, last), keeps_open_line=not is_at_end)
    if words:
        context |= _found_context(run, path, words, _number(request.GET.get("search_from")) or 0)
    return context


def _tail_context(
    run: Run,
    path: str,
    window: lines.Window,
    *,
    marked: tuple[int | None, int | None] = (None, None),
    keeps_open_line: bool = False,
) -> dict[str, Any]:
    """Return the whole lines, the last unfinished one, and where the next poll begins."""
    before = lines.read_before(run.pk, path, window.start, _STYLE_BYTES).decode("utf-8", "replace")
    rendered = ansi.render((line.data.decode("utf-8", "replace") for line in window.lines), before=before)
    first, last = marked
    shown = [
        ShownLine(
            line.number,
            html,
            is_marked=first is not None and line.number is not None and first <= line.number <= (last or first),
            is_continued=not line.has_start,
        )
        for line, html in zip(window.lines, rendered, strict=True)
    ]
    # An unfinished line may yet grow or be overwritten: it belongs to the part that is asked for again.
    is_open = bool(window.lines) and not window.lines[-1].has_end and not keeps_open_line
    # A window full of one unfinished line is given up to the finished ones, or the tail would stand still.
    is_open = is_open and len(window.lines[-1].data) < lines.WINDOW_BYTES
    return {
        "lines": shown[:-1] if is_open else shown,
        "open_line": shown[-1] if is_open else None,
        "tail_url": _address(
            "run_log_tail",
            run,
            path=path,
            after=window.lines[-1].offset if is_open else window.end,
            seen=window.size_bytes,
        ),
        "is_live": not run.is_terminal or window.end < window.size_bytes,
    }


def _found_context(run: Run, path: str, words: str, start: int) -> dict[str, Any]:
    found = lines.search(run.pk, path, words, start=start)
    more = None
    if found.resume_at is not None:
        more = _address("run_outputs", run, path=path, find=words, search_from=found.resume_at)
    return {
        "found": [
            (match.number, *_around(ansi.plain(match.excerpt.decode("utf-8", "replace")), words))
            for match in found.matches
        ],
        "more_url": more,
    }


def _around(text: str, words: str) -> tuple[str, str, str]:
    """Return `text` before, at and after the first of `words`."""
    position = text.lower().find(words.lower())
    if position < 0:
        return text, "", ""
    return text[:position], text[position : position + len(words)], text[position + len(words) :]


def _first(run: Run, files: list[run_files.File]) -> str:
    """Return the file to show at first: the script's own words, else whatever there is."""
    paths = [file.path for file in files]
    if run_files.standard_log(run) in paths:
        return run_files.standard_log(run)
    return next((path for path in paths if not path.startswith("system_logs/")), next(iter(paths), ""))


def _line_range(text: str) -> tuple[int | None, int | None]:
    """Return the numbers of `12` or `12-20`; anything else asks for no line."""
    first, _, last = text.partition("-")
    return (_number(first), _number(last)) if _number(first) else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 15 else None


def _address(name: str, run: Run, **query: str | int) -> str:
    return f"{reverse(name, args=[run.run_id])}?{urlencode(query)}"
