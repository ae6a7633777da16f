"""Documents: each text is parsed, measured and validated once, and long ones not on the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from graphql import DocumentNode, GraphQLError, GraphQLSchema, parse, specified_rules, validate
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gql.cost import check_size
from gql.errors import RequestError, coded
from runner.lru import ByteLru

MAX_TOKENS = 2000
MAX_LINES = 5000
"""Of each fault the place is told as line and column, for which all lines before it are gone through."""
MAX_FAULTS = 10
"""What else is wrong is not told: each fault may quote the whole text around it."""
_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
CACHED_CHARACTERS = 64 * 1024
"""Of all texts that are kept. What they become takes some three hundred times as much memory."""
SHORT = 512
"""Characters of a text that is worked on at once: it takes less time than a thread needs to begin."""


@dataclass(frozen=True)
class Document:
    """What became of a text: a document, or why it is none; and what is wrong with it by the schema."""

    text: str
    node: DocumentNode | None
    faults: tuple[GraphQLError, ...]


class Prepared(str):
    """A text that has been prepared, on its way through a library that takes texts."""

    __slots__ = ("document",)
    document: Document

    @classmethod
    def of(cls, document: Document) -> "Prepared":
        """The text of a document, with the document."""
        made = cls(document.text)
        made.document = document
        return made


class Documents:
    """The documents of one schema that were used last."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._recent: ByteLru[str, Document] = ByteLru(CACHED_CHARACTERS, lambda one: len(one.text))
        # One at a time: they share Python's lock with the event loop, and two would leave it a third.
        self._threads = ThreadPoolExecutor(1, "documents")

    async def prepare(self, text: str) -> Document:
        """The document of a text, with its faults."""
        found = self._recent.get(text)
        if found is None:
            if len(text) <= SHORT:
                found = self._made(text)
            else:
                found = await asyncio.get_running_loop().run_in_executor(self._threads, self._made, text)
            self._recent.put(text, found)
        return found

    def _made(self, text: str) -> Document:
        if text.count("\n") + text.count("\r") > MAX_LINES:
            message = f"the document has too many lines: send at most {MAX_LINES}"
            return Document(text, None, (RequestError(message, extensions={"code": "GRAPHQL_PARSE_FAILED"}),))
        try:
            node = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            message = error.message if text.strip() else "the query is empty: send an operation"
            return Document(text, None, (RequestError.of(error, "GRAPHQL_PARSE_FAILED", message),))
        _unchain(node)
        try:
            check_size(self._schema, node)
        except RequestError as error:
            return Document(text, node, (error.again(),))
        faults = validate(self._schema, node, _RULES, max_errors=MAX_FAULTS)
        # Where each stands in the text takes long to find, so it is done here.
        return Document(text, node, tuple(map(coded, faults)))


def _unchain(node: DocumentNode) -> None:
    """Let no token know the one before it, which only the lexer needs: so a document is freed when nobody has it.

    In cycles it would wait for the garbage collector, which goes through hundreds of megabytes of such documents then.
    """
    token = node.loc.start_token if node.loc is not None else None
    while token is not None:
        token.prev, token = None, token.next
