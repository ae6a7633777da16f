"""The interface of everything that has a global id."""

import strawberry


@strawberry.interface
class Node:
    """Anything with a global id."""

    id: strawberry.ID
    """Relay global id. Inputs accept it and also the bare number (`"12"`)."""
