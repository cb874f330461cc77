"""Which files of a source folder stay behind: `.amlignore`, else `.gitignore`, nested as git nests them."""

from collections.abc import Callable, Collection
from functools import cache
from posixpath import dirname
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


def kept(paths: Collection[str], read: Callable[[str], str]) -> list[str]:
    """Return those of `paths` that no ignore file among them excludes, in their order.

    Where the top folder has an `.amlignore`, the files of that name count; else the
    `.gitignore` files. `read` returns the text of one. As in git, the rules of a deeper
    folder go first, and nothing inside an excluded folder can be brought back.
    """
    name = ".amlignore" if ".amlignore" in paths else ".gitignore"
    found = [path for path in paths if path == name or path.endswith(f"/{name}")]
    if not found:
        return list(paths)
    # 3 MiB that workers and supervisors, which only unpack, would carry along.
    from pathspec import GitIgnoreSpec

    specs = {dirname(path): GitIgnoreSpec.from_lines(read(path).splitlines()) for path in found}

    def is_excluded(path: str) -> bool:
        """Ask the folders from the path's own up to the top; the first that has an opinion decides."""
        folder = dirname(path.rstrip("/"))
        while True:
            if spec := specs.get(folder):
                verdict = _verdict(spec, path[len(folder) + 1 :] if folder else path)
                if verdict is not None:
                    return verdict
            if not folder:
                return False
            folder = dirname(folder)

    @cache
    def is_excluded_folder(folder: str) -> bool:
        if not folder:
            return False
        return is_excluded_folder(dirname(folder)) or is_excluded(f"{folder}/")

    return [path for path in paths if not is_excluded_folder(dirname(path)) and not is_excluded(path)]


def _verdict(spec: "GitIgnoreSpec", path: str) -> bool | None:
    """Return what the last rule says that is about `path` itself, a folder's with its slash; None without one.

    Rules about a folder above are left out, for that folder was asked already.
    """
    for rule in reversed(spec.patterns):
        if rule.include is not None and (found := rule.match_file(path)):
            # The group marks the slash behind what the rule names, see pathspec's patterns.
            slash = found.match.start("ps_d") if "ps_d" in found.match.groupdict() else -1
            # `b/**` is about what is in `b`, though it fits `b/` too.
            if slash == len(path) - 1 or (slash < 0 and rule.match_file(path.rstrip("/"))):
                return rule.include
    return None
