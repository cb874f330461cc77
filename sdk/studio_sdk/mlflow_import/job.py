"""What all parts of an import share: both sides, what is taken, what is here already, and what went wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from studio_sdk.exceptions import ServerUnreachable, ServiceException
from studio_sdk.mlflow_import.rest import Mlflow
from studio_sdk.mlflow_import.tally import Tally
from studio_sdk.transport import Client

Document = dict[str, Any]
Item = TypeVar("Item")

# Properties of a run of which all points, or all files, are here: how many points, how many files and bytes.
POINTS, FILES = "mlflow.imported_points", "mlflow.imported_files"


@dataclass(frozen=True)
class Options:
    """What is taken of a store; without `experiments`, all of them."""

    with_files: bool = True
    with_deleted: bool = False
    experiments: tuple[str, ...] = ()


@dataclass
class Job:
    """An import. The workspace is spoken to by its own interface (`here`) and by MLflow's (`dialect`)."""

    store: Mlflow
    here: Client
    dialect: Mlflow
    workspace: str
    options: Options
    tell: Callable[[Tally], None]
    # Where so many requests as it has threads are under way at once.
    pool: ThreadPoolExecutor
    tally: Tally = field(default_factory=Tally)
    # The ids of the experiments here, by their names.
    experiment_ids: dict[str, str] = field(default_factory=dict)
    # The runs that are here, by their ids: whether they are new, their parents, their properties.
    runs: dict[str, Document] = field(default_factory=dict)
    # The models that are here, by the run that keeps their files; and such runs that only exist for that.
    models: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    model_ids: set[str] = field(default_factory=set)
    holders: list[str] = field(default_factory=list)
    # The ids and names of what something was refused of.
    failed: set[str] = field(default_factory=set)

    def attempt(self, kind: str, name: str, action: Callable[..., Any], *arguments: Any) -> Any:
        """Act for a run, a model or an experiment, and return what comes of it.

        What is refused is noted, and no more is tried for that one.
        """
        if name in self.failed:
            return None
        try:
            return action(*arguments)
        except ServerUnreachable:
            raise
        except ServiceException as error:
            self.failed.add(name)
            self.tally.refuse(f"{kind} {name}", error)
            return None


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield `items`, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
