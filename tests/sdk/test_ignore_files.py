"""Ignore files read as git reads them: git itself is the oracle."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio_sdk import ignore_files, source_folder
from studio_sdk.exceptions import UserErrorException

NAMES = ["a", "b", "ab", "a.py", ".x"]
PATHS = [*NAMES, *(f"{top}/{name}" for top in ("a", "b") for name in NAMES), "a/b/a.py", "b/a/ab", "a/b/a/.x"]
PATTERNS = "a|/a|a/|*.py|!a.py|!/a.py|**/b|a/**|a/**/a.py|[ab]|[!a]|?|# a||b/*|!b/a|a/b|\\#|*|!*/|.*|a* |!ab"
LINES = st.lists(st.sampled_from(PATTERNS.split("|")), max_size=4)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """All files of PATHS that can live side by side: `a` and `b` are folders."""
    root = tmp_path_factory.mktemp("tree")
    for path in PATHS:
        if path not in ("a", "b", "a/b", "b/a", "a/b/a"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("x")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


@settings(max_examples=150, deadline=None)
@given(lines=LINES)
@example(lines=["*", "!*/", "!a.py"])
def test_it_reads_as_git_does(tree, lines):
    (tree / ".amlignore").write_text("\n".join(lines))
    listing = ["git", "ls-files", "--others", "--exclude-per-directory=.amlignore"]
    expected = subprocess.run(listing, cwd=tree, check=True, capture_output=True, text=True).stdout.splitlines()

    assert sorted(ignore_files.kept_files(tree)) == sorted(expected)


def test_gitignore_counts_where_there_is_no_amlignore(tmp_path):
    (tmp_path / ".gitignore").write_text("data\n")
    (tmp_path / "data").write_text("x")
    (tmp_path / "train.py").write_text("x")

    assert list(ignore_files.kept_files(tmp_path)) == [".gitignore", "train.py"]


def test_an_ignore_file_of_a_deeper_folder_goes_first(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / ".amlignore").write_text("*.log\n")
    (tmp_path / "sub" / ".amlignore").write_text("!keep.log\n")
    (tmp_path / "sub" / "keep.log").write_text("x")
    (tmp_path / "x.log").write_text("x")

    assert list(ignore_files.kept_files(tmp_path)) == [".amlignore", "sub/.amlignore", "sub/keep.log"]


def test_what_is_never_source_code_stays_behind(tmp_path):
    for folder in (".git", "__pycache__", "venv", "links"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("x")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    (tmp_path / "to-a-folder").symlink_to(tmp_path / "links")

    assert list(ignore_files.kept_files(tmp_path)) == ["links/x"]


def test_the_script_must_be_among_what_is_kept(tmp_path):
    (tmp_path / ".amlignore").write_text("train.py\n")
    (tmp_path / "train.py").write_text("x")

    with pytest.raises(UserErrorException, match="ignored"):
        source_folder.pack(tmp_path, must_have="train.py")


def test_equal_folders_are_equal_zips(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x")

    with source_folder.pack(tmp_path / "one") as one, source_folder.pack(tmp_path / "two") as two:
        assert one.read() == two.read()
