"""A walk along an index from a place on: forth or back, bounded, and without OFFSET over what was walked before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Expression, F, Q, QuerySet
from django.db.models.lookups import Exact, GreaterThan, LessThan

# So many rows of an index are tested for one page: a million tests would take seconds.
FAR = 40_000
# Most pages are full after so many; if not, after some times as many.
_NEAR, _FARTHER = 1_000, 4


@dataclass(frozen=True)
class Stretch:
    """Rows that an index holds in order: by `key`, if they have one, then by `tie`; those that meet `test` count.

    `row` is the column that holds the id of what the page shows. Of equals, the newest
    come first in a rising order and last in a falling one: one index serves both. Rows
    without a key are newest first in any order, unless their ids are the order. `cost`
    says how many tests of a row's own one of its tests takes.
    """

    rows: QuerySet[Any]
    row: str
    key: Expression | F | None
    tie: str
    test: Q | None = None
    by_id: bool = False
    cost: int = 1


@dataclass(frozen=True)
class Place:
    """Where a row stands: in which stretch, with what value, beside what."""

    stretch: int
    value: Any
    tie: int
    row: int = 0


def take(
    stretches: Sequence[Stretch], *, falls: bool, is_back: bool, place: Place | None, count: int
) -> tuple[list[Place], Place | None, int]:
    """Return up to `count` rows from `place` on.

    If the walk gave up before it had them all, also where that was, and after how many rows.
    """
    found: list[Place] = []
    left, size, looked = FAR, min(_NEAR, FAR), 0
    for number in range(len(stretches))[:: -1 if is_back else 1]:
        if place and (number > place.stretch if is_back else number < place.stretch):
            continue
        way = _Way(stretches[number], number, falls != is_back, is_back)
        here: Place | None = place if place and number == place.stretch else None
        while True:
            # The rest of the equals, then the values beyond: one condition with OR would read all equals again.
            for part in way.parts(here):
                end = way.place_of(part, size) if way.stretch.test is not None else None
                found += way.read(part, until=end, count=count - len(found))
                if len(found) == count:
                    return found, None, 0
                if end is not None:
                    left, looked, here = left - size * way.stretch.cost, looked + size, end
                    size = min(size * _FARTHER, left // way.stretch.cost)
                    break
            else:
                break
            if size <= 0:
                return found, here, looked
    return found, None, 0


def including(stretches: Sequence[Stretch], place: Place, *, falls: bool, is_back: bool) -> Place:
    """Return the place from which a walk finds the row at `place` as well, which else begins beside it."""
    way = _Way(stretches[place.stretch], place.stretch, falls != is_back, is_back)
    return replace(place, tie=place.tie + (1 if way.tie_falls else -1))


@dataclass(frozen=True)
class _Way:
    """A stretch, and the direction in which it is walked."""

    stretch: Stretch
    number: int
    goes_down: bool
    is_back: bool

    @property
    def tie_falls(self) -> bool:
        if self.stretch.key is None and not self.stretch.by_id:
            return not self.is_back
        return self.goes_down == self.stretch.by_id

    def parts(self, place: Place | None) -> Iterator[QuerySet[Any]]:
        """Yield what an index reads one after the other from `place` on."""
        key, tie = self.stretch.key, self.stretch.tie
        order: list[Any] = [f"-{tie}" if self.tie_falls else tie]
        rows = self.stretch.rows
        if key is not None:
            rows = rows.annotate(sorted_by=key)
            order.insert(0, key.desc() if self.goes_down else key.asc())
        rows = rows.order_by(*order)
        if place is None:
            yield rows
            return
        beside = Q(**{f"{tie}__{'lt' if self.tie_falls else 'gt'}": place.tie})
        if key is None:
            yield rows.filter(beside)
            return
        yield rows.filter(Exact(key, place.value), beside)
        yield rows.filter((LessThan if self.goes_down else GreaterThan)(key, place.value))

    def place_of(self, part: QuerySet[Any], size: int) -> Place | None:
        """Return where the row stands that is the last of `size`; None if there are fewer."""
        return next(self._places(part[size - 1 : size]), None)

    def read(self, part: QuerySet[Any], *, until: Place | None, count: int) -> list[Place]:
        """Return the first `count` rows of `part` that count, none of them behind `until`."""
        if self.stretch.test is not None:
            part = part.filter(self.stretch.test)
        found: list[Place] = []
        for piece in [part] if until is None else self._up_to(part, until):
            if len(found) < count:
                found += self._places(piece[: count - len(found)])
        return found

    def _up_to(self, part: QuerySet[Any], until: Place) -> Iterator[QuerySet[Any]]:
        """Yield what comes before the value of `until`, then its equals: with one condition all of these are read."""
        key, tie = self.stretch.key, self.stretch.tie
        up_to = Q(**{f"{tie}__{'gte' if self.tie_falls else 'lte'}": until.tie})
        if key is None:
            yield part.filter(up_to)
            return
        yield part.filter((GreaterThan if self.goes_down else LessThan)(key, until.value))
        yield part.filter(Exact(key, until.value), up_to)

    def _places(self, rows: QuerySet[Any]) -> Iterator[Place]:
        columns = [self.stretch.row, self.stretch.tie]
        if self.stretch.key is None:
            return (Place(self.number, None, tie, row) for row, tie in rows.values_list(*columns))
        return (Place(self.number, value, tie, row) for row, tie, value in rows.values_list(*columns, "sorted_by"))
