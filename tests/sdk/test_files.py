"""Files of a run: up, listed, down."""

import io
import zipfile

import pytest

from studio_sdk.exceptions import NotAvailable, ServiceException, UserErrorException


def test_a_file_goes_up_and_comes_down(run, folder):
    (folder / "model.pkl").write_bytes(b"\x00model" * 1000)
    run.upload_file("outputs/model.pkl", "model.pkl")
    (folder / "model.pkl").unlink()

    run.download_file("outputs/model.pkl")

    assert (folder / "model.pkl").read_bytes() == b"\x00model" * 1000
    assert run.get_file_names() == ["outputs/model.pkl"]


def test_a_file_comes_down_to_a_path_or_into_a_folder(run, folder):
    run.upload_file("outputs/a.txt", io.BytesIO(b"a"))
    (folder / "there").mkdir()

    run.download_file("outputs/a.txt", output_file_path="new/b.txt")
    run.download_file("outputs/a.txt", output_file_path="there")

    assert (folder / "new" / "b.txt").read_bytes() == (folder / "there" / "a.txt").read_bytes() == b"a"


def test_a_stream_goes_up(run):
    run.upload_file("outputs/text", io.StringIO("täxt"))
    run.upload_file("outputs/empty", io.BytesIO())

    assert run.get_file_names() == ["outputs/empty", "outputs/text"]


def test_the_same_file_again_is_no_error_another_is(run):
    run.upload_file("outputs/a", io.BytesIO(b"a"))
    run.upload_file("outputs/a", io.BytesIO(b"a"))

    with pytest.raises(ServiceException):
        run.upload_file("outputs/a", io.BytesIO(b"b"))


def test_a_file_that_is_not_there_is_an_error(run):
    with pytest.raises(UserErrorException, match=r"nothing\.pkl"):
        run.upload_file("outputs/a", "nothing.pkl")
    with pytest.raises(ServiceException):
        run.download_file("outputs/nothing")


def test_a_failed_download_leaves_nothing(run, folder):
    with pytest.raises(ServiceException):
        run.download_file("outputs/nothing", "x.txt")

    assert not list(folder.glob("*x.txt*"))


def test_files_and_names_go_in_pairs(run, folder):
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")

    run.upload_files(["outputs/one", "outputs/two"], ["a", "b"])

    assert run.get_file_names() == ["outputs/one", "outputs/two"]
    with pytest.raises(UserErrorException, match="pairs"):
        run.upload_files(["x"], [])


def test_a_folder_goes_up_at_any_depth(run, folder):
    (folder / "c" / "deep").mkdir(parents=True)
    (folder / "c" / "1").write_text("1")
    (folder / "c" / "deep" / "2").write_text("2")

    run.upload_folder("outputs/checkpoints", "c")

    assert run.get_file_names() == ["outputs/checkpoints/1", "outputs/checkpoints/deep/2"]


def test_files_come_down_by_prefix(run, folder):
    run.upload_file("outputs/a/1", io.BytesIO(b"1"))
    run.upload_file("outputs/b", io.BytesIO(b"2"))

    run.download_files(prefix="outputs/a", output_directory="got")
    run.download_files(prefix="outputs/a", output_directory="bare", append_prefix=False)

    assert (folder / "got" / "outputs" / "a" / "1").read_bytes() == b"1"
    assert (folder / "bare" / "1").read_bytes() == b"1"
    assert not (folder / "got" / "outputs" / "b").exists()


def test_the_code_comes_back_as_a_zip_in_a_folder_that_is_made(experiment, folder):
    (folder / "code").mkdir()
    (folder / "code" / "train.py").write_text("print(1)")
    run = experiment.start_logging(snapshot_directory="code")

    path = run.restore_snapshot(path="a-new-folder")

    assert zipfile.ZipFile(path).read("train.py") == b"print(1)"


def test_a_run_without_code_has_none_to_restore(run):
    assert run.get_snapshot_id() == ""
    with pytest.raises(ServiceException):
        run.restore_snapshot(path="x")


def test_registering_a_model_says_where_models_are_kept(run):
    with pytest.raises(NotAvailable, match=r"run\.upload_file\('outputs/model\.pkl', path\)"):
        run.register_model("diabetes", "outputs/model.pkl")
