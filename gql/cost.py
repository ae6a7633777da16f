"""Cost: how large a document is, and how many rows its answer may hold, measured before anything is executed.

One walk goes along the paths of the answer, with each fragment in the place where it is spread, and ends at the first
limit that it meets: so no document takes longer to measure than MAX_SELECTIONS allow.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from gql.errors import VALIDATION_FAILED, RequestError
from runner.limits import MAX_PAGE_BYTES, MAX_PAGE_SIZE

MAX_DEPTH = 12
"""Objects within objects."""
MAX_INTROSPECTION_DEPTH = 30
"""The same of the schema itself, whose lists in lists in lists are asked for one by one."""
MAX_ALIASES = 50
MAX_SELECTIONS = 2000
"""Selections, counted wherever a fragment is spread."""
MAX_PAIRS = 5000
"""Pairs of selections that give the same field of the answer: GraphQL compares each pair when it validates."""
LISTED = 5
"""What a list counts for that has no `first`: a job has as many hosts as it was asked for."""
LOG_BYTES_PER_ROW = 4096
FIELDS_PER_ROW = 50
"""A row of which more fields are asked counts as several."""
_FREE = frozenset({"PageInfo", "JobLogPage", "JobLogChunk", "UserError", "System", "QueueStats", "Viewer"})
_COMPOSITE = (GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType)

Path = tuple[str, ...]


class Part(NamedTuple):
    """Selections on an object of one type; None where the schema does not know it."""

    kind: GraphQLNamedType | None
    selections: SelectionSetNode


class Place(NamedTuple):
    """Where in the answer a walk stands."""

    path: Path
    depth: int
    times: int
    """How many objects the answer may have here."""
    page: int | None
    """How many rows each list here may have; None outside of a connection."""


@dataclass
class Cost:
    """What an operation may cost."""

    rows: int = 0
    largest: int = 0
    at: Path = ()
    """The list that counts most, and where it is."""

    def add(self, rows: int, path: Path) -> None:
        """Count more rows, which stand at that place."""
        self.rows += rows
        if rows > self.largest:
            self.largest, self.at = rows, path

    def told(self, limit: int) -> dict[str, int]:
        """What `extensions.cost` says."""
        return {"estimated": self.rows, "limit": limit}


def check_size(schema: GraphQLSchema, document: DocumentNode) -> None:
    """RequestError if any operation or fragment of a document is beyond a limit."""
    walk = _Walk(schema, document, {})
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            walk.operation(definition)
    for name, fragment in walk.fragments.items():
        if name not in walk.reached:
            kind = schema.get_type(fragment.type_condition.name.value)
            walk.level([Part(kind, fragment.selection_set)], Place((), 0, 1, None))


def cost_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Cost:
    """What an operation may cost; RequestError if it is beyond a limit of its size."""
    walk = _Walk(schema, document, _given(operation, variables))
    walk.operation(operation)
    return walk.cost


def too_dear(cost: Cost, limit: int) -> RequestError | None:
    """Why an operation is refused for its cost; None if it is not."""
    if cost.rows <= limit:
        return None
    message = (
        f"this asks for up to {cost.rows} rows, and an answer may have {limit}: "
        f"most are {cost.largest} of {'.'.join(cost.at)}; ask for fewer with `first`, or in several requests"
    )
    return RequestError(message, extensions={"code": "COST_LIMIT_EXCEEDED", "cost": cost.told(limit)})


def _given(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables as they are sent, and the defaults of the others."""
    found = {}
    for one in operation.variable_definitions or ():
        name, default = one.variable.name.value, one.default_value
        if name in variables:
            found[name] = variables[name]
        elif isinstance(default, IntValueNode):
            found[name] = _literal(default, MAX_PAGE_BYTES)
    return found


def _literal(node: IntValueNode, most: int) -> int:
    # One of so many digits is beyond each limit, and may be longer than Python reads.
    return int(node.value) if len(node.value) < 10 else most


def _refused(message: str) -> RequestError:
    return RequestError(message, extensions={"code": VALIDATION_FAILED})


@dataclass
class _Walk:
    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, Any]
    selections: int = 0
    aliases: int = 0
    pairs: int = 0
    reached: set[str] = field(default_factory=set)
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self) -> None:
        self.fragments = {
            one.name.value: one for one in self.document.definitions if isinstance(one, FragmentDefinitionNode)
        }

    def operation(self, operation: OperationDefinitionNode) -> None:
        self.aliases = 0
        root = self.schema.get_root_type(operation.operation)
        self.level([Part(root, operation.selection_set)], Place((), 0, 1, None))

    def level(self, parts: Iterable[Part], place: Place) -> None:
        """Measure what is selected of the same objects."""
        most = MAX_INTROSPECTION_DEPTH if place.path and place.path[0].startswith("__") else MAX_DEPTH
        if place.depth > most:
            raise _refused(f"the operation exceeds maximum operation depth of {most}: ask in several requests")
        groups = self._fields(parts)
        wide = len(groups) // FIELDS_PER_ROW
        if wide:
            self.cost.add(place.times * wide, place.path)
        for name, nodes in groups.items():
            self.pairs += len(nodes) * (len(nodes) - 1) // 2
            if self.pairs > MAX_PAIRS:
                raise _refused(f"too many selections give the same field of the answer, as {name!r}: ask for it once")
            self._field(name, nodes, place)

    def _fields(self, parts: Iterable[Part]) -> dict[str, list[tuple[GraphQLNamedType | None, FieldNode]]]:
        """The fields of an object by the name that they have in the answer; no fragment is taken twice."""
        groups: dict[str, list[tuple[GraphQLNamedType | None, FieldNode]]] = {}
        spread: set[str] = set()
        stack = list(parts)
        while stack:
            kind, within = stack.pop()
            for node in within.selections:
                self.selections += 1
                if self.selections > MAX_SELECTIONS:
                    raise _refused(
                        f"the document has more than {MAX_SELECTIONS} selections, "
                        "counted wherever a fragment is spread: ask in several requests"
                    )
                if isinstance(node, FieldNode):
                    self._count_alias(node)
                    groups.setdefault((node.alias or node.name).value, []).append((kind, node))
                elif isinstance(node, InlineFragmentNode):
                    stack.append(Part(self._narrowed(kind, node), node.selection_set))
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                    spread.add(node.name.value)
                    fragment = self.fragments.get(node.name.value)
                    if fragment is not None:
                        self.reached.add(node.name.value)
                        stack.append(Part(self._narrowed(kind, fragment), fragment.selection_set))
        return groups

    def _narrowed(
        self, kind: GraphQLNamedType | None, fragment: InlineFragmentNode | FragmentDefinitionNode
    ) -> GraphQLNamedType | None:
        on = fragment.type_condition
        return kind if on is None else self.schema.get_type(on.name.value)

    def _count_alias(self, node: FieldNode) -> None:
        self.aliases += node.alias is not None
        if self.aliases > MAX_ALIASES:
            raise _refused(f"at least {self.aliases} aliases found. Allowed: {MAX_ALIASES}; ask in several requests")

    def _field(self, name: str, nodes: list[tuple[GraphQLNamedType | None, FieldNode]], place: Place) -> None:
        path, below, parts = (*place.path, name), place, []
        most = -1
        for kind, node in nodes:
            known = self._known(kind, node)
            rows, times, page = self._rows(kind, known, node, place)
            # On one object only one of them counts.
            if rows > most:
                most = rows
                below = Place(path, place.depth + 1, times, page)
            if node.selection_set is not None:
                parts.append(Part(get_named_type(known.type) if known is not None else None, node.selection_set))
        if most > 0:
            self.cost.add(most, path)
        if parts:
            self.level(parts, below)

    def _known(self, kind: GraphQLNamedType | None, node: FieldNode) -> GraphQLField | None:
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            known: GraphQLField | None = kind.fields.get(node.name.value)
            return known
        return None

    def _rows(
        self, kind: GraphQLNamedType | None, known: GraphQLField | None, node: FieldNode, place: Place
    ) -> tuple[int, int, int | None]:
        """Rows that a field adds; objects that stand below it, and rows of each list there."""
        if known is None or kind is None:
            return 0, place.times, None
        named = get_named_type(known.type)
        if "maxBytes" in known.args:
            most = self._number(known, node, "maxBytes", MAX_PAGE_BYTES)
            return place.times * -(-most // LOG_BYTES_PER_ROW), place.times, None
        if not isinstance(named, _COMPOSITE) or named.name in _FREE or named.name.startswith("__"):
            return 0, place.times, None
        if "first" in known.args:
            return 0, place.times, self._number(known, node, "first", MAX_PAGE_SIZE)
        if is_list_type(get_nullable_type(known.type)):
            times = place.times * (LISTED if place.page is None else place.page)
            return times, times, None
        # An edge was counted as its node; a payload is none itself.
        is_row = not kind.name.endswith("Edge") and not named.name.endswith("Payload")
        return place.times if is_row else 0, place.times, None

    def _number(self, known: GraphQLField, node: FieldNode, name: str, most: int) -> int:
        """A size that the client chooses; what is none is left to the field, which tells the client."""
        found: ArgumentNode | None = next((one for one in node.arguments or () if one.name.value == name), None)
        default: int = known.args[name].default_value
        value: Any = default
        if found is not None and isinstance(found.value, VariableNode):
            value = self.variables.get(found.value.name.value, default)
        elif found is not None and isinstance(found.value, IntValueNode):
            value = _literal(found.value, most)
        # JSON knows one kind of number: GraphQL takes 100.0 and 1e2 as well.
        is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
        return int(min(max(value, 1), most)) if is_whole else default
