"""What git says of a source folder, asked of real repositories: its place in history, and its uncommitted changes."""

import subprocess

import pytest

from runs.models import GitPatch
from studio_sdk import git, ignore_files
from studio_sdk.core import ScriptRunConfig

COMMITTED = {
    "train.py": "alpha = 0.1\n" * 3,
    "src/model.py": "depth = 2\n",
    "src/old.py": "gone = True\n",
    "notes/latin.txt": "caf\xe9\n",
    "tracked/secret.env": "KEY=old\n",
    "picture.bin": "\0\1\2",
    ".amlignore": "tracked/\nleft/\n",
    "left/gone.env": "KEY=gone\n",
}


class Repository:
    """A repository with one commit, and commands on it."""

    def __init__(self, folder):
        self.folder = folder
        self.run("init", "-q")
        self.run("config", "core.autocrlf", "false")
        self.write(COMMITTED)
        self.run("add", "--force", ".")
        self.run("commit", "-q", "-m", "first")

    def run(self, *words, **options):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", *identity, *words], cwd=self.folder, check=True, capture_output=True, **options)

    def write(self, files):
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(text.encode("latin-1"))

    def change(self):
        """Change, remove, add, stage, and touch what is ignored."""
        self.write({"train.py": "alpha = 0.5\n" * 3, "notes/latin.txt": "na\xefve\n", "picture.bin": "\0\3\4"})
        self.write({"src/new one.py": "new = True\n", "tracked/secret.env": "KEY=hunter2\n", "untracked.py": "x"})
        self.run("add", "src/new one.py")
        (self.folder / "src/old.py").unlink()
        (self.folder / "left/gone.env").unlink()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(git, "_SECONDS", 60.0)  # a busy machine starts the many processes of a patch slowly
    (tmp_path / "code").mkdir()
    return Repository(tmp_path / "code")


def test_git_says_where_the_code_is_from(repository):
    repository.run("remote", "add", "origin", "https://user:secret@example.org/repo.git")
    clean = git.properties(repository.folder)
    repository.change()

    assert clean["azureml.git.branch"] == "main"
    assert len(clean["azureml.git.commit"]) == 40
    assert clean["azureml.git.repository_uri"] == "https://example.org/repo.git"
    assert clean["azureml.git.dirty"] == "False"
    assert git.properties(repository.folder)["azureml.git.dirty"] == "True"


def test_outside_a_repository_git_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert git.properties(tmp_path) == {}
    assert git.patch(tmp_path) == b""


def test_a_clean_folder_has_no_patch(repository):
    assert git.patch(repository.folder) == b""


def test_the_patch_makes_the_commit_what_the_folder_is(repository, tmp_path):
    repository.change()

    patch = git.patch(repository.folder)

    there = tmp_path / "there"
    repository.run("worktree", "add", "-q", "--detach", str(there), "HEAD")
    subprocess.run(["git", "apply", "-"], cwd=there, input=patch, check=True, capture_output=True)
    kept = sorted(ignore_files.kept_files(repository.folder))
    assert sorted({*ignore_files.kept_files(there), "untracked.py"}) == kept
    for path in set(kept) - {"untracked.py"}:
        assert (there / path).read_bytes() == (repository.folder / path).read_bytes()


def test_what_a_snapshot_leaves_behind_is_in_no_patch(repository):
    repository.change()

    patch = git.patch(repository.folder)

    assert b"alpha = 0.5" in patch
    assert b"secret.env" not in patch
    assert b"hunter2" not in patch
    assert b"KEY=gone" not in patch


def test_without_an_amlignore_the_gitignore_counts(repository):
    (repository.folder / ".amlignore").unlink()
    repository.write({".gitignore": "*.env\n"})
    repository.change()

    assert b"hunter2" not in git.patch(repository.folder)


def test_the_patch_of_a_folder_in_a_repository_is_of_that_folder(repository):
    repository.change()

    patch = git.patch(repository.folder / "src")

    assert b"a/old.py" in patch
    assert b"train.py" not in patch


def test_changes_that_do_not_fit_are_left_out_whole_and_named_at_the_top(repository, tmp_path):
    repository.change()
    repository.write({"src/model.py": "x" * (git.PATCH_BYTES + 1)})

    patch = git.patch(repository.folder)

    note, _, rest = patch.partition(b"\n")
    assert note == b"# Left out of this patch, which holds 1 MiB at most: src/model.py"
    assert b"src/model.py" not in rest
    assert len(patch) <= git.PATCH_BYTES
    there = tmp_path / "there"
    repository.run("worktree", "add", "-q", "--detach", str(there), "HEAD")
    subprocess.run(["git", "apply", "-"], cwd=there, input=patch, check=True, capture_output=True)


def test_a_thousand_changed_files_are_a_patch_of_bounded_size_and_time(repository, monkeypatch):
    monkeypatch.setattr(git, "_PATCH_FILES", 20)  # a process for each
    repository.write({f"many/{'x' * 100}{number}.py": "a" for number in range(1_000)})
    repository.run("add", ".")

    patch = git.patch(repository.folder)

    assert patch.count(b"diff --git") == 20
    assert b" ...\n" in patch[:10_000]


def test_no_program_of_the_repository_is_started(repository, tmp_path):
    mark = tmp_path / "started"
    for setting in ("core.fsmonitor", "diff.external", "diff.x.textconv", "diff.x.command"):
        repository.run("config", setting, f"touch {mark}; cat")
    repository.write({".gitattributes": "*.py diff=x\n"})
    repository.change()
    mark.unlink(missing_ok=True)

    assert b"alpha = 0.5" in git.patch(repository.folder)
    assert not mark.exists()


def test_a_submitted_script_keeps_its_patch(experiment, repository, row):
    repository.change()

    run = experiment.submit(ScriptRunConfig(source_directory=str(repository.folder), script="train.py"))

    assert bytes(GitPatch.objects.get(run=row(run)).data) == git.patch(repository.folder)


def test_an_interactive_run_keeps_its_patch(experiment, repository, row):
    repository.change()

    run = experiment.start_logging(snapshot_directory=repository.folder)

    assert bytes(GitPatch.objects.get(run=row(run)).data) == git.patch(repository.folder)


def test_the_command_line_keeps_the_patch(studio, repository, monkeypatch):
    repository.change()
    monkeypatch.chdir(repository.folder)

    studio("run", "submit-script", "--async", "-e", "first", "train.py")

    assert b"alpha = 0.5" in bytes(GitPatch.objects.get().data)
