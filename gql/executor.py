"""Execution that holds nobody up: it gives way while it works, and ends where an answer becomes too large."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

from graphql import GraphQLLeafType, GraphQLOutputType, GraphQLResolveInfo, get_named_type, is_leaf_type
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path, gather_with_cancel

from gql.errors import AnswerTooLarge
from gql.json_text import encode
from gql.pace import pace
from gql.request import RequestExecutor

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Of all texts and JSON values in an answer, as they are sent."""
SHORT_TEXT = 64
"""Characters of a text that is counted as it is; longer ones are counted as JSON, where some take six bytes."""
BEGUN_AT_ONCE = 50
"""Rows whose fields ask in the same round of the event loop."""
ROWS_FOR_EACH = 5
"""Rows that an answer may have for each that was allowed by the estimate: lists without `first` may be longer."""

T = TypeVar("T")
Groups = Any
"""What @defer would need: this server knows no such directive."""


class PacedExecutor(RequestExecutor):
    """One operation, or one event of a subscription."""

    most_rows: int
    rows = 0
    bytes = 0

    def complete_awaitable_value(  # noqa: D102, PLR0913, PLR0917 (the signature is GraphQL's)
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Awaitable[Any],
        position_context: Groups,
    ) -> Coroutine[Any, Any, Any]:
        paced = self._paced_value(result)
        return super().complete_awaitable_value(return_type, field_details_list, info, path, paced, position_context)

    async def _paced_value(self, result: Awaitable[T]) -> T:
        value = await result
        turns = pace()
        if turns.is_spent():
            asking = self.context_value.asking
            with asking:
                await turns.turn(asking)
        return value

    def complete_iterable_value(  # noqa: D102, PLR0913, PLR0917 (the signature is GraphQL's)
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Groups,
    ) -> Awaitable[list[Any]] | list[Any]:
        if is_leaf_type(get_named_type(item_type)):
            return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)
        rows = items if isinstance(items, list | tuple) else list(items)
        self.rows += len(rows)
        if self.rows > self.most_rows:
            raise AnswerTooLarge(f"the answer has more than {self.most_rows} rows: ask for less at a time")
        if len(rows) < 2:
            return super().complete_iterable_value(item_type, field_details_list, info, path, rows, position_context)
        return self._paced_rows(item_type, field_details_list, info, path, rows, position_context)

    async def _paced_rows(  # noqa: PLR0913, PLR0917 (as above)
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        rows: Iterable[Any],
        position_context: Groups,
    ) -> list[Any]:
        turns, asking = pace(), self.context_value.asking
        done: list[Any] = []
        later: list[int] = []
        tasks: list[asyncio.Task[Any]] = []
        try:
            # Who loads waits until each row has asked, so that one statement serves them all.
            with asking:
                for index, row in enumerate(rows):
                    await turns.turn(asking)
                    at = path.add_key(index, None)
                    if self.complete_list_item_value(
                        row, done, item_type, field_details_list, info, at, position_context
                    ):
                        later.append(index)
                for number, index in enumerate(later, 1):
                    tasks.append(asyncio.ensure_future(done[index]))
                    if number % BEGUN_AT_ONCE == 0 or number == len(later):
                        await asyncio.sleep(0)
                        await turns.turn(asking)
                if later:
                    await asking.begun()
        except BaseException:
            # Nobody waits for those that were begun.
            for task in tasks:
                task.cancel()
            for index in later[len(tasks) :]:
                done[index].close()
            raise
        for index, value in zip(later, await gather_with_cancel(*tasks), strict=True):
            done[index] = value
        return done

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]  # noqa: ANN401, D102 (GraphQL's, which is called on the object)
        value = super().complete_leaf_value(return_type, result)
        if isinstance(value, str) and len(value) <= SHORT_TEXT:
            self.bytes += len(value)
        elif isinstance(value, str | dict | list):
            self.bytes += len(encode(value))
        if self.bytes > MAX_ANSWER_BYTES:
            raise AnswerTooLarge(f"the answer has more than {MAX_ANSWER_BYTES} bytes of text: ask for less at a time")
        return value
