"""What clients see: translate in, call one verb, translate out.

This is Playcast's own package. The PyPI client called `gql` would overwrite it: never install it beside Playcast.
"""

PLAYCAST = True
