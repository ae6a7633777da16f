"""Checks of what a protocol's specification says, each with its words."""

from collections.abc import Callable
from typing import Generic, TypeVar

Check = TypeVar("Check")


class Statements(list[tuple[str, Check]], Generic[Check]):
    """The statements in the order of the specification, each with its check."""

    def states(self, statement: str) -> Callable[[Check], Check]:
        """The check below it is of this statement."""

        def add(check: Check) -> Check:
            self.append((statement, check))
            return check

        return add
