"""Files as a tree of folders, for the Outputs + logs and Snapshot tabs."""

from collections.abc import Iterable
from dataclasses import dataclass, field

# A page stays quick: more files than these are found by their address or the API.
SHOWN_FILES = 2_000


@dataclass
class Folder:
    """A folder: its own name, its folders and its files as (name, path, size)."""

    name: str
    is_open: bool
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def sorted_folders(self) -> list["Folder"]:
        """Return its folders by name, those that explain the run first."""
        first = {"user_logs": 0, "outputs": 1, "logs": 2, "system_logs": 4}
        return sorted(self.folders.values(), key=lambda folder: (first.get(folder.name, 3), folder.name))


def build(files: Iterable[tuple[str, int]], *, chosen: str, closed: frozenset[str] = frozenset()) -> Folder:
    """Return the tree of (path, size); folders are open but those named in `closed` that hold not the `chosen` file."""
    root = Folder("", True)
    for path, size in files:
        *parents, name = path.split("/")
        folder = root
        for depth, part in enumerate(parents):
            if part not in folder.folders:
                prefix = "/".join(parents[: depth + 1])
                folder.folders[part] = Folder(part, prefix not in closed or chosen.startswith(f"{prefix}/"))
            folder = folder.folders[part]
        folder.files.append((name, path, size))
    return root
