"""Snapshots: what goes in is checked, what comes out is the same, and equal code is stored once."""

import io
import stat
import subprocess
import zipfile

import pytest

from runs.actions import git, ignores, snapshots
from runs.models import Snapshot
from tests.api.conftest import zipped


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.STUDIO_HOME = tmp_path / "home"


@pytest.fixture
def store(workspace, noon):
    return lambda data: snapshots.store_zip(workspace=workspace, source=io.BytesIO(data), at=noon)


def members(snapshot):
    return [member.path for member in snapshots.list_members(snapshot)]


def entry(name, *, mode=0, flags=0, method=zipfile.ZIP_STORED, content=b"x"):
    """A zip with one member that is made by hand."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = method
        archive.writestr(info, content)
    data = bytearray(buffer.getvalue())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= flags
    data[6] |= flags
    return bytes(data)


def test_the_same_code_is_stored_once_whatever_the_zip_looks_like(store, workspace, noon):
    first = store(zipped({"b.py": "2", "a.py": "1"}))
    again = store(zipped({"a.py": "1", "b.py": "2"}))
    as_files = snapshots.store_files(
        workspace=workspace, files=[("b.py", io.BytesIO(b"2")), ("a.py", io.BytesIO(b"1"))], at=noon
    )
    other = store(zipped({"a.py": "12", "b.py": ""}))

    assert first == again == as_files != other
    assert (first.file_count, Snapshot.objects.count()) == (2, 2)
    assert members(first) == ["a.py", "b.py"]


def test_code_is_unpacked_as_it_was(store, tmp_path):
    snapshot = store(
        entry("tools/run.sh", mode=stat.S_IFREG | 0o755, content=b"#!/bin/sh\n"),
    )
    folder = tmp_path / "work"
    folder.mkdir()

    snapshots.extract(snapshot, folder)

    assert (folder / "tools/run.sh").read_bytes() == b"#!/bin/sh\n"
    assert (folder / "tools/run.sh").stat().st_mode & 0o100


def test_a_member_is_read_up_to_a_limit(store):
    snapshot = store(zipped({"a.txt": "x" * 100}))

    assert snapshots.read_member(snapshot, "a.txt", limit_bytes=10) == b"x" * 10
    with pytest.raises(snapshots.NotFound):
        snapshots.read_member(snapshot, "b.txt", limit_bytes=10)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no zip"),
        (b"PK\x05\x06" + b"\0" * 18, "no files"),
        (zipped({"a/": ""}), "no files"),
        (entry("link", mode=stat.S_IFLNK | 0o777, content=b"/etc/passwd"), "link or a device"),
        (entry("pipe", mode=stat.S_IFIFO | 0o644), "link or a device"),
        (entry("disk", mode=stat.S_IFBLK | 0o644), "link or a device"),
        (entry("folder/", mode=stat.S_IFLNK | 0o777), "link or a device"),
        (entry("a", flags=1), "encrypted"),
        (entry("a", method=zipfile.ZIP_LZMA), "neither stored nor deflated"),
        (entry("../a"), "not allowed"),
        (entry("/a"), "not allowed"),
        (entry("../a/"), "not allowed"),
        (zipped({"a": "1", "A": "2"}), "cannot tell apart"),
        (zipped({"\u00e9": "1", "e\u0301": "2"}), "cannot tell apart"),
        (zipped({"stra\u00dfe": "1", "strasse": "2"}), "cannot tell apart"),
        (zipped({"a": "1", "a/b": "2"}), "both as a file and as a folder"),
        (zipped({"a/b": "1", "A": "2"}), "both as a file and as a folder"),
        (zipped({"a": "1" * 1000})[:-30], "no zip"),
        (entry("abc", content=b"hello").replace(b"hello", b"jello"), "no zip"),
    ],
)
def test_a_bad_zip_is_refused_with_the_reason(data, said, store):
    with pytest.raises(snapshots.BadSnapshot, match=said):
        store(data)

    assert not Snapshot.objects.exists()


def test_the_same_name_twice_is_refused(store):
    data = zipped({"abc": "1", "abd": "2"}).replace(b"abd", b"abc")

    with pytest.raises(snapshots.BadSnapshot, match="cannot tell apart"):
        store(data)


def test_a_nul_in_a_name_is_refused(store):
    data = zipped({"a~b": "1"}).replace(b"a~b", b"a\x00b")

    with pytest.raises(snapshots.BadSnapshot, match="NUL"):
        store(data)


def test_a_bomb_is_refused_before_it_is_unpacked(store):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * (50 << 20))

    with pytest.raises(snapshots.BadSnapshot, match="100 times its size"):
        store(buffer.getvalue())


def test_sizes_are_counted_also_while_unpacking(store, settings, monkeypatch):
    settings.STUDIO_SNAPSHOT_BYTES = 1000
    monkeypatch.setattr("runs.actions.sources.check_amount", lambda *_, **__: None)

    with pytest.raises(snapshots.BadSnapshot, match="larger than"):
        store(zipped({"a": "x" * 600, "b": "x" * 600}))


def test_limits_are_told_and_hold_to_the_byte(store, settings):
    settings.STUDIO_SNAPSHOT_BYTES, settings.STUDIO_SNAPSHOT_FILES = 100, 2

    assert store(zipped({"a": "x" * 50, "b": "x" * 50}))
    with pytest.raises(snapshots.BadSnapshot, match=r"larger than .*\.amlignore"):
        store(zipped({"a": "x" * 51, "b": "x" * 50}))
    with pytest.raises(snapshots.BadSnapshot, match=r"more than 2 files.*\.amlignore"):
        store(zipped({"a": "", "b": "", "c": ""}))


def test_a_table_of_contents_that_is_too_long_is_not_even_read(store, settings):
    settings.STUDIO_SNAPSHOT_FILES = 1
    data = zipped({f"{number:0200}": "" for number in range(100)})

    with pytest.raises(snapshots.BadSnapshot, match="more than 1 files"):
        store(data)


def test_git_is_never_stored_and_ignored_files_stay_behind(store):
    snapshot = store(
        zipped(
            {
                "train.py": "",
                ".git/config": "",
                "sub/.git/HEAD": "",
                ".gitignore": "*.csv\n/outputs/\n",
                "data.csv": "",
                "outputs/model.pkl": "",
                "deep/outputs/x": "",
            }
        )
    )

    assert members(snapshot) == [".gitignore", "deep/outputs/x", "train.py"]


def test_amlignore_goes_before_gitignore(store):
    snapshot = store(zipped({"train.py": "", ".amlignore": "*.bin\n", ".gitignore": "*.py\n", "a.bin": ""}))

    assert members(snapshot) == [".amlignore", ".gitignore", "train.py"]


RULES = {
    "names at any depth": {".gitignore": "*.log\nbuild\n", "a.log": "", "x/b.log": "", "build/x": "", "x/build/y": ""},
    "anchored": {".gitignore": "/a\nx/b\n", "a": "", "y/a": "", "x/b": "", "y/x/b": ""},
    "folders only": {".gitignore": "tmp/\n", "tmp": "", "x/tmp/y": ""},
    "brought back": {".gitignore": "*.csv\n!keep.csv\n", "a.csv": "", "keep.csv": "", "x/keep.csv": ""},
    "not out of an excluded folder": {".gitignore": "data/\n!data/keep.csv\n", "data/keep.csv": "", "data/x": ""},
    "folder brought back by steps": {".gitignore": "/*\n!/src/\n", "a": "", "src/b": "", "src/c/d": ""},
    "all but python": {".gitignore": "*\n!*/\n!*.py\n", "a.py": "", "a.txt": "", "x/b.py": "", "x/b.txt": ""},
    "nested adds": {".gitignore": "", "x/.gitignore": "*.txt\n", "a.txt": "", "x/b.txt": "", "x/y/c.txt": ""},
    "nested brings back": {".gitignore": "*.txt\n", "x/.gitignore": "!b.txt\n", "x/b.txt": "", "x/c.txt": ""},
    "nested anchors": {".gitignore": "", "x/.gitignore": "/b\n", "x/b": "", "x/y/b": "", "b": ""},
    "nested is not read in an excluded folder": {".gitignore": "x/\n", "x/.gitignore": "!b\n", "x/b": ""},
    "double stars": {".gitignore": "**/a\nb/**\nc/**/d\n", "a": "", "x/a": "", "b/x": "", "c/d": "", "c/x/y/d": ""},
    "inside brought back": {".gitignore": "b/**\n!b/keep\n", "b/x": "", "b/keep": "", "b/c/keep": ""},
    "folder brought back at once": {".gitignore": "x\n!x/\n", "x/a": "", "y/x": ""},
    "comments and spaces": {".gitignore": "# a\n\n\\#b\na \n", "a": "", "#b": "", "# a": ""},
    "classes": {".gitignore": "[ab].txt\n?.md\n", "a.txt": "", "c.txt": "", "x.md": "", "xx.md": ""},
    "windows line ends": {".gitignore": "*.log\r\n", "a.log": "", "b": ""},
}


@pytest.mark.parametrize("name", RULES)
def test_rules_mean_what_they_mean_to_git(name, tmp_path):
    files = RULES[name]
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content.encode())
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    asked = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    of_git = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    kept = ignores.kept(sorted(files), lambda path: files[path])

    assert set(kept) == set(of_git.split("\0")) - {""}


def test_commit_and_branch_are_found_in_packed_refs_and_on_no_branch():
    commit = "a" * 40
    packed = {".git/HEAD": "ref: refs/heads/main", ".git/packed-refs": f"# pack\n{commit} refs/heads/main\n"}
    detached = {".git/HEAD": commit}

    facts = [git.properties(lambda path, files=files: files.get(path, "")) for files in (packed, detached, {})]

    assert facts == [
        {"azureml.git.commit": commit, "azureml.git.branch": "main"},
        {"azureml.git.commit": commit},
        {},
    ]


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("https://user:pass@example.org/r.git", "https://example.org/r.git"),
        ("https://ghp_token@example.org/r.git", "https://example.org/r.git"),
        ("git@example.org:r.git", "git@example.org:r.git"),
        ("https://[bad/r.git", ""),
    ],
)
def test_a_remote_is_kept_without_its_password(remote, shown):
    assert git.without_password(remote) == shown
