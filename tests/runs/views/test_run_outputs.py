"""The Outputs + logs tab: windows, line links, search, tail, previews and downloads."""

import io
import re

import pytest
from django.urls import reverse

from runs import storage
from runs.actions import recording
from runs.models import Run
from runs.status import RunStatus
from runs.storage import lines
from tests import factories

POLL = {"HX-Request": "true", "HX-Request-Type": "partial"}
LOG = "user_logs/std_log.txt"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.STUDIO_HOME = tmp_path


@pytest.fixture
def run(experiment, team_mate, local):
    return factories.run(experiment, by=team_mate, compute_target=local, status=RunStatus.RUNNING)


@pytest.fixture
def client(client_for, team_mate):
    return client_for(team_mate)


def write(run, data, path=LOG):
    storage.append_log(run.pk, path, data, offset=storage.log_size(run.pk, path))


def keep(run, path, data):
    recording.save_artifact(run=run, path=path, chunks=[data], at=factories.NOON)


def page(client, run, **query):
    return client.get(reverse("run_outputs", args=[run.run_id]), query)


def text_of(answer):
    return [str(line.html) for line in answer.context["lines"]]


def test_the_log_of_the_script_opens_first_and_the_systems_folder_is_closed(client, run):
    write(run, b"prepared\n", "system_logs/supervisor.txt")
    write(run, b"hello\n")

    answer = page(client, run)

    assert text_of(answer) == ["hello"]
    assert not answer.context["tree"].folders["system_logs"].is_open
    assert answer.context["tree"].folders["user_logs"].is_open


def test_what_a_script_prints_is_never_markup(client, run):
    write(run, b"<script>alert(1)</script>\x1b[31m<b>\n")

    assert b"<script>alert" not in page(client, run).content
    assert b"<b>" not in page(client, run).content.split(b'id="log"')[1]


def test_a_line_link_opens_the_window_around_it(client, run):
    write(run, b"".join(b"line %d\n" % n for n in range(1, 100_001)))

    answer = page(client, run, line="50000-50002")

    marked = [line.number for line in answer.context["lines"] if line.is_marked]
    assert marked == [50_000, 50_001, 50_002]
    assert b'id="L50000"' in answer.content


def test_a_line_that_is_not_there_says_so_and_shows_the_end(client, run):
    write(run, b"one\n")

    answer = page(client, run, line="99")

    assert answer.context["is_missing"]
    assert text_of(answer) == ["one"]


def test_earlier_and_later_are_links(client, run):
    write(run, b"".join(b"line %d\n" % n for n in range(1, 5_001)))

    last = page(client, run)
    earlier = client.get(last.context["earlier_url"])
    back = client.get(earlier.context["later_url"])

    assert text_of(earlier)[-1] == "line 4000"
    assert text_of(back) == text_of(last)
    assert last.context["later_url"] == ""


def test_search_lists_lines_with_links(client, run):
    write(run, b"nothing\nan Error here\n")

    answer = page(client, run, find="error")

    assert list(answer.context["found"]) == [(2, "an ", "Error", " here")]
    assert b"<mark>Error</mark>" in answer.content


def test_the_tail_sends_only_what_is_new(client, run):
    write(run, b"one\ntw")
    first = page(client, run)
    write(run, b"o\nthree\n")

    answer = client.get(first.context["tail_url"], headers=POLL)

    text = answer.content.decode()
    assert ">one<" not in text
    assert ">two<" in text
    assert ">three<" in text
    assert 'id="L3"' in text


def test_the_tail_is_answered_with_nothing_while_there_is_nothing_new(client, run):
    write(run, b"one\n")
    first = page(client, run)

    assert client.get(first.context["tail_url"], headers=POLL).status_code == 204


def test_the_tail_stops_when_the_run_has_ended(client, run):
    write(run, b"one\n")
    first = page(client, run)
    type(run).objects.filter(pk=run.pk).update(status="Completed", ended_at=factories.NOON)

    answer = client.get(first.context["tail_url"], headers=POLL)

    assert b'id="log-end"' in answer.content
    assert b"hx-trigger" not in answer.content


def test_a_tail_that_fell_far_behind_jumps_to_the_end(client, run):
    write(run, b"one\n")
    first = page(client, run)
    write(run, b"x" * 99 + b"\n" + b"filler\n" * 100_000 + b"last\n")

    text = client.get(first.context["tail_url"], headers=POLL).content.decode()

    assert "Lines were left out here" in text
    assert ">last<" in text


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("outputs/plot.png", PNG, "image"),
        ("outputs/fake.png", b"<svg onload=alert(1)>", "code"),
        ("outputs/plot.svg", b"<svg onload=alert(1)>", "code"),
        ("outputs/page.html", b"<script>alert(1)</script>", "code"),
        ("outputs/data.csv", b"a,b\n1,2\n", "table"),
        ("outputs/notes.md", b"# Title\n<script>alert(1)</script>", "markdown"),
        ("outputs/data.json", b'{"a": 1}', "code"),
        ("outputs/model.pkl", b"\x80\x04\x00\x00", "none"),
        ("outputs/odd.txt", b"\xff\xfe\xfa", "code"),
        ("outputs/empty.txt", b"", "code"),
    ],
)
def test_a_file_is_previewed_by_what_it_is(client, run, path, data, kind):
    keep(run, path, data)

    answer = page(client, run, path=path)

    assert answer.context["preview"].kind == kind
    assert b"<script>alert" not in answer.content
    assert b"<svg onload" not in answer.content


@pytest.mark.parametrize("path", ["outputs/nothing.txt", "other"])
def test_a_file_that_is_not_there_is_not_found(client, run, path):
    assert page(client, run, path=path).status_code == 404


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "a/../../b", "a\\b", "%2e%2e/x", "~root", "C:/x", "a\x00b", "a//b", "./a"]
)
@pytest.mark.parametrize("name", ["run_outputs", "run_download", "run_log_tail"])
def test_a_path_that_leads_out_is_refused(client, run, path, name):
    assert client.get(reverse(name, args=[run.run_id]), {"path": path, "after": "0"}).status_code in (400, 404)


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("", 200, b"0123456789", None),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=4-2", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_download_answers_ranges(client, run, header, status, body, content_range):
    write(run, b"0123456789")

    answer = client.get(reverse("run_download", args=[run.run_id]), {"path": LOG}, headers={"Range": header})

    assert answer.status_code == status
    assert (answer.getvalue(), answer.get("Content-Range")) == (body, content_range)


@pytest.mark.parametrize(
    ("path", "data", "media_type"),
    [
        ("outputs/page.html", b"<script>alert(1)</script>", "application/octet-stream"),
        ("outputs/plot.svg", b"<svg/>", "application/octet-stream"),
        ("outputs/plot.png", PNG, "image/png"),
        ("outputs/fake.png", b"<html>", "application/octet-stream"),
        ('outputs/na"me.txt', b"x", "application/octet-stream"),
    ],
)
def test_raw_bytes_are_never_a_page(client, run, path, data, media_type):
    keep(run, path, data)

    answer = client.get(reverse("run_download", args=[run.run_id]), {"path": path})

    assert answer["Content-Type"] == media_type
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert io.BytesIO(answer.getvalue()).read() == data


def test_a_great_log_opens_before_its_lines_are_counted_and_then_counts_them(client, run, monkeypatch):
    monkeypatch.setattr(lines.LineIndex.__init__, "__kwdefaults__", {"budget_bytes": 0})
    write(run, b"".join(b"line %d\n" % n for n in range(1, 20_001)))

    first = page(client, run)
    counted = client.get(first.context["count_url"], headers=POLL)
    second = page(client, run)

    assert first.context["is_counting"]
    assert text_of(first)[-1] == "line 20000"
    assert counted["HX-Refresh"] == "true"
    assert second.context["lines"][-1].number == 20_000


def test_the_log_of_a_run_that_waits_is_there_before_its_first_line(client_for, team_mate, experiment, local):
    run = factories.run(experiment, by=team_mate, compute_target=local)
    client = client_for(team_mate)

    page = client.get(reverse("run_outputs", args=[run.run_id])).content.decode()

    assert "Nothing was written yet." in page
    tail = re.search(r'id="log-end" hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    assert client.get(tail, headers=POLL).status_code == 204


def test_the_latest_attempts_log_opens_first_and_those_before_are_there(client, run):
    Run.objects.filter(pk=run.pk).update(attempt_number=2)
    write(run, b"the first try\n")
    write(run, b"the second try\n", f"retry_001/{LOG}")

    answer = page(client, run)

    assert text_of(answer) == ["the second try"]
    assert text_of(page(client, run, path=LOG)) == ["the first try"]
    assert b"retry_001" in answer.content
