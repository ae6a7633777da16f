"""What was used last, as far as it fits into a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteLru(Generic[K, V]):
    """A mapping of at most `most` bytes, as `size_of` counts them; whatever was not used for longest goes first."""

    def __init__(self, most: int, size_of: Callable[[V], int]) -> None:
        self._most = most
        self._size_of = size_of
        self._values: OrderedDict[K, V] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None if it has gone."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value in the place of an older one; one that is larger than the whole is not kept."""
        self.drop(key)
        self._values[key] = value
        self.size += self._size_of(value)
        while self.size > self._most:
            self.drop(next(iter(self._values)))

    def drop(self, key: K) -> None:
        """Forget a key, if it is there."""
        value = self._values.pop(key, None)
        if value is not None:
            self.size -= self._size_of(value)

    def drop_where(self, fits: Callable[[K], bool]) -> None:
        """Forget each key that fits."""
        for key in [key for key in self._values if fits(key)]:
            self.drop(key)
