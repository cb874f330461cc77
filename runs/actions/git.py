"""Read commit, branch and remote out of the files of a `.git` folder, without running git on somebody's repository."""

import configparser
import re
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from runs import limits

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LONGEST_CONFIG = 100_000


def properties(read: Callable[[str], str]) -> dict[str, str]:
    """Return what is known as properties `azureml.git.*`; `read` returns a file's text, or "" for none."""
    head = read(".git/HEAD").strip()
    branch = head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
    commit = _commit(head, read)
    facts = {
        "azureml.git.commit": commit,
        "azureml.git.branch": branch,
        "azureml.git.repository_uri": without_password(_remote(read(".git/config")[:_LONGEST_CONFIG])),
    }
    return {
        key: value
        for key, value in facts.items()
        if value and value.isprintable() and len(value) <= limits.TAG_VALUE_LENGTH
    }


def without_password(remote: str) -> str:
    """Return the address of a remote without the user and password that may be in it."""
    if "://" not in remote:
        return remote  # git@host:path has none
    try:
        parts = urlsplit(remote)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return ""


def _commit(head: str, read: Callable[[str], str]) -> str:
    if _COMMIT.fullmatch(head):
        return head
    reference = head.removeprefix("ref: ")
    loose = read(f".git/{reference}").strip()
    if _COMMIT.fullmatch(loose):
        return loose
    for line in read(".git/packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == reference and _COMMIT.fullmatch(commit):
            return commit
    return ""


def _remote(config: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read_string("\n".join(line.strip() for line in config.splitlines()))
    except configparser.Error:
        return ""
    return parser.get('remote "origin"', "url", fallback="") or ""
