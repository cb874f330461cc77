"""What a worker may expect of the store, wherever it is."""

import hashlib
import io

import pytest

from runs import storage
from runs.errors import TooLarge

LOG = "user_logs/std_log.txt"


def arrived(run_pk, name=LOG):
    """Return the log as pages read it."""
    storage.flush(run_pk)
    return storage.read_log(run_pk, name, offset=0, limit=2**30)


def content(run_pk, path):
    with storage.open_artifact(run_pk, path) as handle:
        return handle.read()


class TestStore:
    def test_a_log_grows_by_appending(self, run_pk):
        assert storage.append_log(run_pk, LOG, b"one ", offset=0) == 4
        assert storage.append_log(run_pk, LOG, b"two", offset=4) == 7

        assert arrived(run_pk) == b"one two"
        assert storage.log_size(run_pk, LOG) == 7

    def test_the_same_bytes_again_change_nothing(self, run_pk):
        storage.append_log(run_pk, LOG, b"one two", offset=0)

        assert storage.append_log(run_pk, LOG, b"two three", offset=4) == 13

        assert arrived(run_pk) == b"one two three"

    def test_a_gap_is_refused_with_the_size(self, run_pk):
        storage.append_log(run_pk, LOG, b"one", offset=0)

        with pytest.raises(storage.OffsetGap) as refused:
            storage.append_log(run_pk, LOG, b"three", offset=8)

        assert refused.value.size_bytes == 3

    def test_an_empty_log_is_there(self, run_pk):
        storage.append_log(run_pk, LOG, b"", offset=0)

        assert arrived(run_pk) == b""

    def test_a_log_that_is_not_there_has_no_size(self, run_pk):
        assert storage.log_size(run_pk, LOG) == 0

    def test_any_bytes_under_any_name_arrive(self, run_pk):
        data = bytes(range(256)) * 5000

        storage.append_log(run_pk, "logs/a b/ü#?&%.txt", data, offset=0)

        assert arrived(run_pk, "logs/a b/ü#?&%.txt") == data

    def test_a_path_that_leads_out_is_refused(self, run_pk):
        with pytest.raises(storage.BadPath):
            storage.append_log(run_pk, "../secret", b"x", offset=0)
        with pytest.raises(storage.BadPath):
            storage.save_artifact(run_pk, "outputs/../../secret", [b"x"])

    @pytest.mark.parametrize("size", [0, 1, 4 * 2**20, 9 * 2**20 + 1])
    def test_a_file_is_stored_whole(self, run_pk, size):
        data = bytes(size)

        stored = storage.save_artifact(run_pk, "outputs/model.bin", io.BytesIO(data))

        assert content(run_pk, "outputs/model.bin") == data
        assert (stored.path, stored.size_bytes) == ("outputs/model.bin", size)
        assert stored.digest == hashlib.sha256(data).hexdigest()

    def test_a_file_replaces_the_one_before(self, run_pk):
        storage.save_artifact(run_pk, "outputs/a", [b"first and longer"])

        storage.save_artifact(run_pk, "outputs/a", [b"second"])

        assert content(run_pk, "outputs/a") == b"second"

    def test_a_file_that_breaks_off_is_not_there(self, run_pk):
        def chunks():
            yield bytes(5 * 2**20)
            raise OSError("the disk is broken")

        with pytest.raises(OSError, match="broken"):
            storage.save_artifact(run_pk, "outputs/a", chunks())

        with pytest.raises(FileNotFoundError):
            storage.open_artifact(run_pk, "outputs/a")

    def test_a_file_over_the_limit_is_refused(self, run_pk, settings):
        settings.STUDIO_ARTIFACT_BYTES = 2**20

        with pytest.raises(TooLarge):
            storage.save_artifact(run_pk, "outputs/a", [bytes(2**20), b"x"])

    def test_a_file_in_the_way_of_a_folder_is_said_so(self, run_pk):
        storage.save_artifact(run_pk, "outputs/a", [b"x"])

        with pytest.raises(storage.BadPath):
            storage.save_artifact(run_pk, "outputs/a/b", [b"x"])

    def test_the_code_is_read_as_it_was_stored(self, run_pk):
        storage.save_snapshot("5" * 64, [b"zip" * 10**6])

        with storage.open_snapshot("5" * 64) as handle:
            assert handle.read() == b"zip" * 10**6

    def test_code_that_is_not_there_is_not_found(self, run_pk):
        with pytest.raises(FileNotFoundError):
            storage.open_snapshot("5" * 64)
