"""What tests share: servers, databases, browsers and clients that they start, and what must be true afterwards."""
