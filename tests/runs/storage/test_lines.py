"""Windows, numbers and search of logs, held against reading the whole log at once."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import strategies as st

from runs.storage import lines, logs

LOG = "user_logs/std_log.txt"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: LazySettings) -> Path:
    settings.STUDIO_HOME = tmp_path
    return tmp_path


def write(data: bytes, *, run_pk: int = 1) -> None:
    logs.append_log(run_pk, LOG, data, offset=logs.log_size(run_pk, LOG))


def numbered(count: int, *, first: int = 1) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, first + count))


def test_a_short_log_is_one_window_with_its_lines_numbered():
    write(b"one\ntwo\nthree")

    window = lines.tail(1, LOG)

    assert [(line.number, line.data, line.offset) for line in window.lines] == [
        (1, b"one", 0),
        (2, b"two", 4),
        (3, b"three", 8),
    ]
    assert [line.has_end for line in window.lines] == [True, True, False]
    assert (window.start, window.end, window.size_bytes) == (0, 13, 13)


def test_an_empty_log_has_no_lines():
    write(b"")

    assert lines.tail(1, LOG).lines == []
    assert lines.window_from(1, LOG, 0).lines == []


def test_a_log_that_is_still_to_come_has_no_lines():
    assert lines.tail(1, LOG).lines == []
    assert lines.window_from(1, LOG, 0).lines == []


def test_the_tail_of_a_long_log_ends_at_its_last_line():
    write(numbered(100_000))

    window = lines.tail(1, LOG)

    assert window.lines[-1].data == b"line 100000"
    assert window.lines[-1].number == 100_000
    assert len(window.lines) == lines.WINDOW_LINES
    assert window.lines[0].number == 100_000 - lines.WINDOW_LINES + 1


def test_windows_before_one_another_give_the_whole_log_once():
    write(numbered(30_000))

    window, seen = lines.tail(1, LOG), []
    while window.lines:
        seen = [line.data for line in window.lines] + seen
        window = lines.window_before(1, LOG, window.start)

    assert seen == numbered(30_000).splitlines()


def test_windows_after_one_another_give_the_whole_log_once():
    write(numbered(30_000))

    window, seen = lines.window_from(1, LOG, 0), []
    while window.lines:
        seen += [line.data for line in window.lines]
        window = lines.window_from(1, LOG, window.end)

    assert seen == numbered(30_000).splitlines()


@pytest.mark.parametrize("number", [1, 2, 9_999, 10_000, 54_321, 100_000])
def test_a_line_is_found_by_its_number_and_its_number_by_its_place(number: int):
    write(numbered(100_000))
    index = lines.LineIndex(1, LOG)

    offset = index.offset_of(number)

    assert offset == len(numbered(number - 1))
    assert index.number_at(offset) == number
    assert lines.window_from(1, LOG, offset).lines[0].data == b"line %d" % number


@pytest.mark.parametrize("number", [0, -1, 100_001, 10**18])
def test_a_line_that_is_not_there_has_no_place(number: int):
    write(numbered(100_000))

    assert lines.LineIndex(1, LOG).offset_of(number) is None


def test_a_log_opens_at_its_end_before_its_lines_are_counted():
    write(numbered(100_000))
    index = lines.LineIndex(1, LOG, budget_bytes=lines.BLOCK_BYTES)

    window = lines.tail(1, LOG, index=index)

    assert window.lines[-1].data == b"line 100000"
    assert window.lines[-1].number is None
    assert not window.is_counted
    assert not index.is_complete


def test_counting_goes_on_where_it_stopped():
    write(numbered(100_000))
    for _ in range(20):
        index = lines.LineIndex(1, LOG, budget_bytes=lines.BLOCK_BYTES)

    assert index.is_complete
    assert lines.tail(1, LOG, index=index).lines[-1].number == 100_000


def test_lines_are_counted_on_as_the_log_grows():
    write(numbered(50_000))
    lines.LineIndex(1, LOG)
    write(numbered(50_000, first=50_001))

    assert lines.LineIndex(1, LOG).offset_of(99_999) == len(numbered(99_998))


def test_what_was_counted_of_a_longer_log_is_forgotten(home: Path):
    write(numbered(100_000))
    lines.LineIndex(1, LOG)
    next(home.rglob("logs/user_logs/std_log.txt")).write_bytes(b"\n\n" + numbered(20_000))

    assert lines.LineIndex(1, LOG).offset_of(3) == 2
    assert lines.LineIndex(1, LOG).offset_of(20_002) == 2 + len(numbered(19_999))


def test_a_line_longer_than_a_window_comes_in_pieces():
    write(b"short\n" + b"x" * (3 * lines.WINDOW_BYTES) + b"\nend\n")

    window = lines.window_from(1, LOG, 6)
    after = lines.window_from(1, LOG, window.end)

    assert (window.lines[0].has_start, window.lines[0].has_end) == (True, False)
    assert (after.lines[0].has_start, after.lines[0].number) == (False, 2)
    assert len(window.lines[0].data) == lines.WINDOW_BYTES


def test_a_window_within_a_long_line_cuts_no_character():
    write("é€😀".encode() * lines.WINDOW_BYTES)

    forward = lines.window_from(1, LOG, 0)
    middle = lines.window_from(1, LOG, forward.end)
    backward = lines.tail(1, LOG)

    assert "\ufffd" not in forward.lines[0].data.decode()
    assert "\ufffd" not in middle.lines[0].data.decode()
    assert "\ufffd" not in backward.lines[0].data.decode()


def test_search_lists_each_line_once_with_its_number():
    write(numbered(100_000) + b"Error: one error\n" + numbered(10) + b"ERROR\n")

    found = lines.search(1, LOG, "error")

    assert [(match.number, match.excerpt) for match in found.matches] == [
        (100_001, b"Error: one error"),
        (100_012, b"ERROR"),
    ]
    assert found.resume_at is None


def test_search_stops_at_its_limit_and_goes_on_from_there():
    write(numbered(1_000))

    first = lines.search(1, LOG, "line", limit=600)
    second = lines.search(1, LOG, "line", start=first.resume_at or 0, limit=600)

    assert [len(first.matches), len(second.matches)] == [600, 400]
    assert second.matches[0].number == 601
    assert second.resume_at is None


def test_search_sees_words_across_two_chunks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "_SEARCH_CHUNK_BYTES", 10)
    write(b"a\n123456789 needle and needle\nlast needle")

    found = lines.search(1, LOG, "needle")

    assert [match.number for match in found.matches] == [2, 3]


def test_an_excerpt_of_a_long_line_is_around_the_words():
    write(b"x" * 10_000 + b"needle" + b"y" * 10_000)

    (match,) = lines.search(1, LOG, "needle").matches

    assert b"needle" in match.excerpt
    assert len(match.excerpt) <= 400


@given(
    data=st.lists(st.sampled_from([b"a", b"\n", b"\r", b"xyz", "é".encode(), b"\x00"]), max_size=200).map(b"".join),
    offset=st.integers(0, 300),
)
def test_numbers_agree_with_counting_newlines(tmp_path_factory: pytest.TempPathFactory, data: bytes, offset: int):
    offset = min(offset, len(data))
    run_pk = abs(hash((data, offset))) % 10**12
    write(data, run_pk=run_pk)

    index = lines.LineIndex(run_pk, LOG)

    assert index.number_at(offset) == data.count(b"\n", 0, offset) + 1
    assert index.offset_of(1 + data.count(b"\n", 0, offset)) in (data.rfind(b"\n", 0, offset) + 1, None)


@given(words=st.sampled_from(["ab", "b", "abab"]), data=st.text("ab\n", max_size=80), chunk=st.integers(1, 9))
def test_search_agrees_with_looking_at_every_line(words: str, data: str, chunk: int):
    run_pk = abs(hash((data, words, chunk))) % 10**12
    write(data.encode(), run_pk=run_pk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_SEARCH_CHUNK_BYTES", chunk)
        found = lines.search(run_pk, LOG, words)

    expected = [number for number, line in enumerate(data.split("\n"), 1) if words in line]
    assert [match.number for match in found.matches] == expected
