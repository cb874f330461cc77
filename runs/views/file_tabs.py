"""The state of a tab with files, as its address says it: what is open in the tree, which files stand as tabs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.http import urlencode

from runs.views.run_tree import Folder, Look

_TABS = 10
_FOLDERS = 100
_LONGEST_FIND = 200


@dataclass(frozen=True)
class FileTab:
    """One open file: its name, where it is shown, and where the page goes when it is closed."""

    path: str
    name: str
    url: str
    close_url: str


@dataclass(frozen=True)
class State:
    """What the address says."""

    look: Look
    files: tuple[str, ...]

    def url(self, path: str, *, files: Sequence[str] | None = None, look: Look | None = None) -> str:
        """Return the address in which `path` is shown."""
        look = look or self.look
        files = self.files if files is None else files
        pairs = [("path", path)] if path else []
        pairs += [("file", name) for name in files]
        for name, folders in (("open", look.opened), ("close", look.closed), ("more", look.more)):
            pairs += [(name, folder) for folder in sorted(folders)]
        pairs += [("in", look.find)] if look.find else []
        return f"?{urlencode(pairs)}"

    def toggled(self, folder: Folder, path: str) -> str:
        """Return the address in which `folder` is closed if it is open, or open if it is closed."""
        opened, closed = self.look.opened - {folder.path}, self.look.closed - {folder.path}
        if folder.is_open:
            closed |= {folder.path}
        else:
            opened |= {folder.path}
        return self.url(path, look=Look(opened, closed, self.look.more, self.look.find))

    def with_more(self, folder: Folder, path: str) -> str:
        """Return the address in which more of `folder` is shown."""
        look = Look(self.look.opened, self.look.closed, self.look.more | {folder.path}, self.look.find)
        return self.url(path, look=look)

    def address(self, folder: Folder, path: str) -> Folder:
        """Give `folder` and all below it their addresses; return it. `path` is the file that is shown."""
        folder.more_url = self.with_more(folder, path)
        folder.file_urls = {file_path: self.url(file_path) for _, file_path, _ in folder.files}
        for child in folder.folders.values():
            child.toggle_url = self.toggled(child, path)
            self.address(child, path)
        return folder

    def tabs(self, path: str) -> list[FileTab]:
        """Return the open files, each with its addresses."""
        tabs = []
        for place, name in enumerate(self.files):
            others = [other for other in self.files if other != name]
            following = path if name != path else (others[min(place, len(others) - 1)] if others else "")
            url, close = self.url(name), self.url(following, files=others)
            tabs.append(FileTab(name, name.rsplit("/", 1)[-1], url, close))
        return tabs


def of_query(query: QueryDict, *, path: str) -> State:
    """Return what the address says; `path`, which is shown, is among the open files."""
    files = list(dict.fromkeys(name for name in query.getlist("file") if name))
    if path and path not in files:
        files.append(path)
    return State(
        Look(
            opened=frozenset(query.getlist("open")[:_FOLDERS]),
            closed=frozenset(query.getlist("close")[:_FOLDERS]),
            more=frozenset(query.getlist("more")[:_FOLDERS]),
            find=query.get("in", "")[:_LONGEST_FIND],
        ),
        tuple(files[-_TABS:]),
    )
