"""Files as a tree of folders that open on demand, for the Outputs + logs and Snapshot tabs."""

from collections.abc import Iterable
from dataclasses import dataclass, field

# A page stays quick: of one folder so many entries are shown, and so many once more are asked for.
SHOWN_ENTRIES, SHOWN_MORE = 200, 2_000
# A tree of so few files is all open at first.
_OPEN_FILES = 100
_FOUND = 200
_FIRST = {"user_logs": 0, "outputs": 1, "logs": 2, "system_logs": 4}


@dataclass
class Folder:
    """A folder: its own name, its path, and if it is open its folders and its files as (name, path, size)."""

    name: str
    path: str = ""
    is_open: bool = True
    file_count: int = 0
    size_bytes: int = 0
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[tuple[str, str, int]] = field(default_factory=list)
    # Entries that are not shown.
    hidden_count: int = 0
    # Where it is opened or closed, and where more of it is shown.
    toggle_url: str = ""
    more_url: str = ""
    file_urls: dict[str, str] = field(default_factory=dict)

    @property
    def shown_files(self) -> list[tuple[str, str, int, str]]:
        """Return its files as (name, path, size, address)."""
        return [(name, path, size, self.file_urls.get(path, "")) for name, path, size in self.files]

    @property
    def sorted_folders(self) -> list["Folder"]:
        """Return its folders by name, those that explain the run first."""
        return sorted(self.folders.values(), key=lambda folder: (_FIRST.get(folder.name, 3), folder.name))


@dataclass(frozen=True)
class Look:
    """What is open: folders by path, those of which more is shown, and what file names are searched for."""

    opened: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    find: str = ""


def build(files: Iterable[tuple[str, int]], *, chosen: str, look: Look = Look()) -> Folder:
    """Return the tree of (path, size), which come sorted by path. Of closed folders only the sums are known.

    Those on the way to the `chosen` file are open. With `look.find`, only files whose path
    has these words are in it.
    """
    files = list(files)
    is_small = len(files) <= _OPEN_FILES
    if look.find:
        words = look.find.lower()
        found = [(path, size) for path, size in files if words in path.lower()]
        files, hidden = found[:_FOUND], max(0, len(found) - _FOUND)
    else:
        hidden = 0

    def is_open(path: str) -> bool:
        if look.find or path in look.opened:
            return True
        if path in look.closed:
            return False
        return chosen.startswith(f"{path}/") or (is_small and path != "system_logs")

    root = Folder("", hidden_count=hidden)
    for path, size in files:
        *parents, name = path.split("/")
        folder = root
        for depth, part in enumerate(parents):
            if part not in folder.folders:
                place = "/".join(parents[: depth + 1])
                folder.folders[part] = Folder(part, place, is_open(place))
            folder = folder.folders[part]
            folder.file_count += 1
            folder.size_bytes += size
            if not folder.is_open:
                break
        else:
            shown = SHOWN_MORE if folder.path in look.more else SHOWN_ENTRIES
            if len(folder.files) < shown or path == chosen:
                folder.files.append((name, path, size))
            else:
                folder.hidden_count += 1
    return root
