"""A document to a definition, field by field, with a list of what does not fit. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from runs import limits
from runs.pipelines import references, values
from runs.pipelines.nodes import Definition, ForEach, Input, Parameter, Step
from runs.pipelines.problems import Problem, nearest
from runs.pipelines.yaml_text import Lines, Path
from runs.wording import Sentence, say

T = TypeVar("T")

_STEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TOP = ("name", "description", "default_compute_target", "parameters", "steps", "continue_on_step_failure")
_STEP = tuple(Step.__dataclass_fields__)[1:]


class Reader:
    """One reading. `problems` is what it found wrong; what it then returns is not to be used."""

    def __init__(self, lines: Lines) -> None:
        self.problems: list[Problem] = []
        self._lines = lines

    def definition(self, document: Any) -> Definition:
        """Return the definition that `document` describes."""
        top = self._mapping((), document, say("a mapping with `name` and `steps`"))
        self._refuse_unknown((), top, _TOP)
        parameters = self._mapping(("parameters",), top.get("parameters"), say("a mapping of names to parameters"))
        steps = self._mapping(("steps",), top.get("steps"), say("a mapping of names to steps"))
        if not steps and not self.problems:
            self._add(("steps",), say("A pipeline has at least one step."))
        name = self._text(("name",), top.get("name"), limits.DISPLAY_NAME_LENGTH).strip()
        if not name and not any(problem.field == "name" for problem in self.problems):
            self._add(("name",), say("A pipeline has a name."))
        return Definition(
            name=name,
            description=self._text(("description",), top.get("description"), limits.DESCRIPTION_LENGTH),
            default_compute_target=self._text(
                ("default_compute_target",), top.get("default_compute_target"), limits.COMPUTE_TARGET_NAME_LENGTH
            ),
            parameters=tuple(self._parameter(name, each) for name, each in parameters.items()),
            steps=tuple(self._step(name, each) for name, each in steps.items()),
            continue_on_step_failure=self._flag(
                ("continue_on_step_failure",), top.get("continue_on_step_failure"), default=False
            ),
        )

    def line_of(self, problem: Problem) -> int | None:
        """Return the line of the field of `problem`, or of the nearest part around it."""
        path: Path = ("steps", problem.step) if problem.step else ()
        parts = (int(part) if part.isdigit() else part for part in problem.field.split(".") if part)
        return self._line((*path, *parts))

    def _parameter(self, name: str, document: Any) -> Parameter:
        path: Path = ("parameters", name)
        if not _NAME.fullmatch(name):
            self._add(path, _no_name(name, "`_` and `-`"))
        fields = self._mapping(path, document, say("a mapping with `type` and `default`"))
        self._refuse_unknown(path, fields, ("type", "default"))
        kind, default = fields.get("type"), fields.get("default")
        if kind not in values.TYPES:
            guess = nearest(str(kind), values.TYPES)
            self._add(
                (*path, "type"), say("Expected one of {names}{guess}", names=", ".join(values.TYPES), guess=guess)
            )
            kind = "string"
        elif default is not None and not values.is_of(default, kind):
            self._add(
                (*path, "default"), say("{default!r} is no {kind}.", default=values.as_text(default)[:100], kind=kind)
            )
        return Parameter(name, kind, tuple(default) if isinstance(default, list | tuple) else default)

    def _step(self, name: str, document: Any) -> Step:
        at = lambda *fields: ("steps", name, *fields)  # noqa: E731 - it is used in every line that follows
        if not _STEP_NAME.fullmatch(name):
            self._add(at(), _no_name(name, "`_`, `-` and `.`"))
        held = self._mapping(at(), document, say("a mapping of what the step executes"))
        self._refuse_unknown(at(), held, _STEP)
        for_each = self._for_each(at("for_each"), held.get("for_each"))
        return Step(
            name=name,
            script=self._text(at("script"), held.get("script"), limits.ARTIFACT_PATH_LENGTH),
            command=self._words(at("command"), held.get("command")),
            source=self._text(at("source"), held.get("source"), limits.ARTIFACT_PATH_LENGTH),
            snapshot=self._text(at("snapshot"), held.get("snapshot"), 64),
            arguments=self._words(at("arguments"), held.get("arguments")),
            params=self._named(at("params"), held.get("params"), self._scalar, say("a mapping of names to values")),
            environment_variables=self._named(
                at("environment_variables"),
                held.get("environment_variables"),
                self._word,
                say("a mapping of names to texts"),
            ),
            requirements=self._requirements(at("requirements"), held.get("requirements")),
            interpreter_path=self._text(
                at("interpreter_path"), held.get("interpreter_path"), limits.ARTIFACT_PATH_LENGTH
            ),
            compute_target=self._text(
                at("compute_target"), held.get("compute_target"), limits.COMPUTE_TARGET_NAME_LENGTH
            ),
            inputs=self._named(
                at("inputs"), held.get("inputs"), self._input, say("a mapping of names to outputs of steps"), _NAME
            ),
            outputs=self._names(at("outputs"), held.get("outputs"), _NAME),
            depends_on=self._names(at("depends_on"), held.get("depends_on"), _STEP_NAME),
            for_each=for_each,
            retries=self._number(at("retries"), held.get("retries"), 0, 100) or 0,
            max_run_duration_seconds=self._number(
                at("max_run_duration_seconds"), held.get("max_run_duration_seconds"), 1, limits.RUN_DURATION_SECONDS
            ),
            allow_reuse=self._flag(at("allow_reuse"), held.get("allow_reuse"), default=True),
            continue_on_failure=self._flag(at("continue_on_failure"), held.get("continue_on_failure"), default=False),
        )

    def _input(self, path: Path, value: Any) -> Input:
        found = references.output_of(value) if isinstance(value, str) else None
        if found is None:
            self._add(path, say("Expected an output of a step: ${{{{ steps.<step>.outputs.<name> }}}}."))
        return Input(*(found or ("", "")))

    def _for_each(self, path: Path, value: Any) -> ForEach | None:
        if value is None:
            return None
        expected = say("one name with a list of values, or with a parameter of type list: {{model: [a, b]}}")
        held = self._mapping(path, value, expected)
        if len(held) != 1:
            self._add(path, say("Expected {expected}.", expected=expected))
            return None
        [(item, listed)] = held.items()
        if not _NAME.fullmatch(item):
            self._add(path, _no_name(item, "`_` and `-`"))
        named = references.whole(listed) if isinstance(listed, str) else None
        if named is not None and named.room == "parameters":
            return ForEach(item, parameter=named.name)
        if not isinstance(listed, list | tuple) or not listed or not values.is_of(listed, "list"):
            self._add((*path, item), say("Expected {expected}.", expected=expected))
            return None
        return ForEach(item, values=tuple(listed))

    def _requirements(self, path: Path, value: Any) -> str | tuple[str, ...] | None:
        if value is None or isinstance(value, str):
            return self._text(path, value, limits.ARTIFACT_PATH_LENGTH) or None
        return self._words(path, value)

    # --- the kinds of values ---

    def _mapping(self, path: Path, value: Any, expected: str) -> Mapping[str, Any]:
        if value is None and path:
            return {}
        if not isinstance(value, Mapping) or not all(values.is_text(name) for name in value):
            self._add(path, say("Expected {expected}.", expected=expected))
            return {}
        return value

    def _named(
        self,
        path: Path,
        value: Any,
        read: Callable[[Path, Any], T],
        expected: str,
        pattern: re.Pattern[str] | None = None,
    ) -> dict[str, T]:
        named = self._mapping(path, value, expected)
        for name in named if pattern else ():
            self._check_name((*path, name), name, pattern)
        return {name: read((*path, name), each) for name, each in named.items()}

    def _names(self, path: Path, value: Any, pattern: re.Pattern[str]) -> tuple[str, ...]:
        names = self._words(path, value)
        for number, name in enumerate(names):
            self._check_name((*path, number), name, pattern)
            if name in names[:number]:
                self._add((*path, number), say("{name!r} stands here twice.", name=name))
        return names

    def _check_name(self, path: Path, name: str, pattern: re.Pattern[str] | None) -> None:
        if pattern and not pattern.fullmatch(name):
            self._add(path, _no_name(name, "`_`, `-` and `.`" if pattern is _STEP_NAME else "`_` and `-`"))

    def _words(self, path: Path, value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self._add(path, say("Expected a list."))
            return ()
        return tuple(self._word((*path, number), each) for number, each in enumerate(value))

    def _word(self, path: Path, value: Any) -> str:
        return values.as_text(self._scalar(path, value))

    def _scalar(self, path: Path, value: Any) -> Any:
        if not values.is_scalar(value):
            self._add(path, say("Expected a text, a number, true or false."))
            return ""
        return value

    def _text(self, path: Path, value: Any, limit: int) -> str:
        if value is None:
            return ""
        if not values.is_text(value):
            self._add(path, say("Expected text."))
            return ""
        if len(value) > limit:
            self._add(path, say("Expected at most {limit:,} characters.", limit=limit))
        return value

    def _number(self, path: Path, value: Any, lowest: int, highest: int) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            self._add(
                path, say("Expected a whole number from {lowest:,} to {highest:,}.", lowest=lowest, highest=highest)
            )
            return None
        return value

    def _flag(self, path: Path, value: Any, *, default: bool) -> bool:
        if value is None:
            return default
        if not isinstance(value, bool):
            self._add(path, say("Expected true or false."))
        return bool(value)

    # --- problems ---

    def _refuse_unknown(self, path: Path, held: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in held:
            if name not in known:
                guess = nearest(name, known, say("; there is {names}", names=", ".join(known)))
                self._add((*path, name), say("There is no field {name!r}{guess}", name=name[:100], guess=guess))

    def _add(self, path: Path, message: str) -> None:
        step, field = ("", path)
        if len(path) > 1 and path[0] == "steps":
            step, field = str(path[1]), path[2:]
        self.problems.append(Problem(step, self._line(path), ".".join(map(str, field)), message))

    def _line(self, path: Path) -> int | None:
        """Return the line of `path`, or of the nearest part around it that stands in the text."""
        tries = (path[:length] for length in range(len(path), -1, -1))
        return next((self._lines[each] for each in tries if each in self._lines), None)


def _no_name(name: str, signs: str) -> Sentence:
    return say("{name!r} is no name: expected 1 to 100 letters, digits, {signs}.", name=name[:100], signs=signs)
