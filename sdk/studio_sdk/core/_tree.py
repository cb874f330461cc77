"""The family of a run: its children, and how they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional

from studio_sdk.core import _filters
from studio_sdk.exceptions import UserErrorException
from studio_sdk.transport import Client

if TYPE_CHECKING:
    from studio_sdk.core.experiment import Experiment
    from studio_sdk.core.run import Run

# What one request makes.
CHILDREN_PER_REQUEST = 1_000


class RunTree:
    """Makes and finds child runs."""

    _client: Client
    _experiment: Experiment
    _id: str
    _path: str

    def child_run(self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Optional[str] = None) -> Run:
        """Make a child that is driven from here, and is running. Used in a `with`, it ends with the block.

        >>> with run.child_run(name="fold 1") as child:
        ...     child.log("accuracy", 0.9)
        """
        child = {key: value for key, value in (("display_name", name), ("run_id", run_id)) if value}
        return self._make([child], outputs=outputs)[0]

    def create_children(
        self,
        count: Optional[int] = None,
        tag_key: Optional[str] = None,
        tag_values: Optional[list[Any]] = None,
    ) -> list[Run]:
        """Make many children in one request: `count` of them, or one for each value of a tag.

        >>> run.create_children(count=5)
        >>> run.create_children(tag_key="fold", tag_values=["a", "b", "c"])
        """
        by_tag = tag_key is not None or tag_values is not None
        if (count is not None) == by_tag:
            raise UserErrorException("create_children takes a count, or tag_key and tag_values: one of the two.")
        if by_tag:
            if tag_key is None or tag_values is None:
                raise UserErrorException("tag_key and tag_values belong together.")
            tags = [{tag_key: None if value is None else str(value)} for value in tag_values]
        else:
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise UserErrorException(f"The count of children is a whole number from 1 on; got {count!r}.")
            tags = [{"azureml.batch_child_number": str(number)} for number in range(count)]
        if len(tags) > CHILDREN_PER_REQUEST:
            raise UserErrorException(f"One call makes at most {CHILDREN_PER_REQUEST} children; got {len(tags)}.")
        return self._make([{"tags": each} for each in tags]) if tags else []

    def _make(self, children: list[dict[str, Any]], *, outputs: Optional[str] = None) -> list[Run]:
        from studio_sdk.core.run import Run

        answer = self._client.make(f"{self._path}/children", {"children": children})
        runs = [Run._of(self._experiment, item["run_id"], item, outputs=outputs) for item in answer["items"]]
        for run in runs:
            run._begin_here()
        return runs

    def submit_child(self, config: Any, tags: Optional[dict[str, Any]] = None, **kwargs: Any) -> Run:
        """Submit a script as a child of this run, and return at once.

        >>> run.submit_child(ScriptRunConfig(source_directory=".", script="child.py", arguments=["--fruit", "apple"]))
        """
        return self._experiment._submit(config, tags=tags, parent=self._id, **kwargs)

    def get_children(
        self,
        recursive: bool = False,
        tags: _filters.Filter = None,
        properties: _filters.Filter = None,
        type: Optional[str] = None,
        status: Optional[str] = None,
        _rehydrate_runs: bool = True,
    ) -> Iterator[Run]:
        """Yield the children, newest first; with `recursive` also theirs.

        >>> [child.id for child in run.get_children(status="Failed")]
        """
        return self._experiment.workspace._runs(
            {"recursive": recursive or None},
            path=f"{self._path}/children",
            tags=tags,
            properties=properties,
            type=type,
            status=status,
        )
