"""Source folders that are stored before anything is submitted."""

from runs.models import Snapshot


def test_the_same_folder_is_stored_once(api_for, team_mate, code):
    api = api_for(team_mate)

    first, again = (api.send_bytes("/snapshots", code) for _ in range(2))

    assert (first.status_code, first.json()) == (201, again.json())
    assert first.json()["file_count"] == 2
    assert Snapshot.objects.get().digest == first.json()["snapshot_id"]


def test_a_reader_stores_none(api_for, reader, code):
    assert api_for(reader).send_bytes("/snapshots", code).status_code == 403


def test_what_is_no_zip_is_refused(api_for, owner):
    answer = api_for(owner).send_bytes("/snapshots", b"no zip")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_snapshot")
