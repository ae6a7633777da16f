"""HTTP itself: connections, bodies, who is calling, and errors as clients get them."""
