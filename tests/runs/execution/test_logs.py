"""Bytes are kept as they came, in order, up to the cap; nothing about them stops a script."""

import os
import textwrap
import time

import pytest

from runs import storage
from runs.execution.logs import LogWriter, Pump
from tests.runs.execution.conftest import wait_for

LOG = "user_logs/std_log.txt"


@pytest.fixture
def folder(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path
    return tmp_path


def stored(run_pk=1, name=LOG):
    return storage.read_log(run_pk, name, offset=0, limit=2**30)


def writer(folder, limit_bytes=1000):
    return LogWriter(1, LOG, limit_bytes=limit_bytes, overflow=folder / "overflow")


def test_what_fits_is_kept_as_it_is(folder):
    log = writer(folder)

    for data in (b"\xff\xfe\x00", b"\r\x1b[31m", b"no newline"):
        log.write(data)
    log.close()

    assert stored() == b"\xff\xfe\x00\r\x1b[31mno newline"


@pytest.mark.parametrize("block_bytes", [1, 7, 500, 5000])
def test_of_a_log_over_its_cap_the_head_and_the_tail_are_kept_and_the_gap_is_announced(folder, block_bytes):
    data = b"".join(b"%06d " % number for number in range(1000))  # 7,000 bytes
    log = writer(folder)

    for start in range(0, len(data), block_bytes):
        log.write(data[start : start + block_bytes])
    log.close()

    text = stored()
    assert text.startswith(data[:500] + b"\n[studio: this log is longer than 500 bytes;")
    assert text.endswith(b"\n[studio: 6000 bytes are left out here]\n" + data[-500:])
    assert not (folder / "overflow").exists()


def test_a_log_just_over_its_head_loses_nothing(folder):
    log = writer(folder)

    log.write(b"h" * 500 + b"t" * 400)
    log.close()

    assert stored().endswith(b"[studio: 0 bytes are left out here]\n" + b"t" * 400)


def test_a_full_disk_loses_bytes_and_says_so_once_there_is_room(folder, monkeypatch):
    log = writer(folder)
    log.write(b"before ")
    append = storage.append_log

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "append_log", full)
    log.write(b"lost")
    log.write(b"too")
    monkeypatch.setattr(storage, "append_log", append)
    log.write(b"after")

    assert stored() == b"before \n[studio: 7 bytes were lost: no room on the disk]\nafter"


def pump(folder, data):
    read_end, write_end = os.pipe()
    pumping = Pump(read_end, writer(folder, 10**6))
    pumping.start()
    os.write(write_end, data)
    os.close(write_end)
    pumping.finish(timeout_seconds=1)
    os.close(read_end)
    return pumping


def test_a_pipe_that_somebody_holds_open_is_left_when_the_time_is_over(folder):
    read_end, write_end = os.pipe()
    pumping = Pump(read_end, writer(folder))
    pumping.start()
    os.write(write_end, b"so far")

    pumping.finish(timeout_seconds=0.3)

    assert not pumping.is_alive()
    assert stored() == b"so far"
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ""),
        (b"one\ntwo\n", "one\ntwo"),
        (b"\n".join(b"line %d" % i for i in range(100)), "\n".join(f"line {i}" for i in range(80, 100))),
        (b"noise\nTraceback (most recent call last):\n  x\nValueError: y\n", None),
        (b"10%\r50%\r100%\nkilled\xff\0\n", "100%\nkilled\ufffd\ufffd"),
    ],
    ids=["nothing", "short", "long", "traceback", "progress bar and bad bytes"],
)
def test_the_last_words_are_those_that_explain_an_end(folder, data, words):
    expected = "Traceback (most recent call last):\n  x\nValueError: y" if words is None else words

    assert pump(folder, data).last_words() == expected


def test_the_logs_of_later_attempts_have_names_of_their_own():
    assert storage.attempt_path(1, LOG) == LOG
    assert storage.attempt_path(3, LOG) == f"retry_002/{LOG}"


@pytest.mark.process
@pytest.mark.slow
def test_a_flood_without_a_newline_costs_no_memory_and_arrives_whole(site, worker):
    code = """
        import os, time
        print("ready", flush=True)
        while not os.path.exists("outputs/go"): time.sleep(0.05)
        block = b"x" * 2**20
        for _ in range(100): os.write(1, block)
        print("\\nend", flush=True)
        time.sleep(60)
    """
    run = site.submit(textwrap.dedent(code))
    site.wait_for_log(run, b"ready")
    supervisor = site.supervisor(run)
    before = peak_kilobytes(supervisor.pid)

    site.let_go(run)
    wait_for(lambda: storage.log_size(run.pk, LOG) == 100 * 2**20 + len(b"ready\n\nend\n"), seconds=120)

    assert peak_kilobytes(supervisor.pid) - before < 10_000
    assert site.log(run).endswith(b"x\nend\n")
    site.cancel(run, grace_seconds=0)
    site.wait_until_ended(run)


def peak_kilobytes(pid):
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        return int(next(line for line in status if line.startswith("VmHWM:")).split()[1])


@pytest.mark.process
@pytest.mark.slow
def test_bytes_that_are_no_text_are_kept_and_the_error_shows_what_can_be_shown(site, worker):
    run = site.submit("import os; os.write(1, b'\\xff\\x00\\xed\\xa0\\x80 no newline'); raise SystemExit(2)")

    ended = site.wait_until_ended(run)

    assert site.log(run) == b"\xff\x00\xed\xa0\x80 no newline"
    assert ended.error.endswith(" no newline")


def test_what_a_full_disk_swallowed_last_is_announced_at_the_end(folder, monkeypatch):
    log = writer(folder)
    append = storage.append_log
    log.write(b"first\n")

    monkeypatch.setattr(storage, "append_log", _no_room)
    log.write(b"second\n")
    lost_bytes = log.lost_bytes
    monkeypatch.setattr(storage, "append_log", append)
    log.close()

    assert lost_bytes == 7
    assert stored() == b"first\n\n[studio: 7 bytes were lost: no room on the disk]\n"
    assert log.lost_bytes == 0


def test_an_announcement_for_which_there_was_half_the_room_is_finished_later(folder, monkeypatch):
    log = writer(folder)
    append = storage.append_log
    log.write(b"first\n")

    monkeypatch.setattr(storage, "append_log", _no_room)
    log.write(b"second\n")
    monkeypatch.setattr(storage, "append_log", _room_for(append, 10))
    log.write(b"third\n")
    monkeypatch.setattr(storage, "append_log", append)
    log.close()

    assert stored() == (
        b"first\n\n[studio: 7 bytes were lost: no room on the disk]\n"
        b"\n[studio: 6 bytes were lost: no room on the disk]\n"
    )


def test_what_the_pipe_holds_counts_though_the_time_for_it_is_over(folder):
    read_end, write_end = os.pipe()
    pump = Pump(read_end, writer(folder))
    os.write(write_end, b"said before the freeze\n")

    pump._deadline = time.monotonic() - 60
    pump.start()
    pump.finish(timeout_seconds=0)
    os.close(write_end)

    assert stored() == b"said before the freeze\n"


def _no_room(*_, **__):
    raise OSError(28, "No space left on device")


def _room_for(append, size):
    def append_a_little(run_pk, name, data, *, offset):
        append(run_pk, name, data[:size], offset=offset)
        raise OSError(28, "No space left on device")

    return append_a_little
