"""What a client takes, and how much it likes it: lists with qualities, RFC 9110, 12.4 and 12.5."""

import re

from aiohttp import web

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def qualities(header: str) -> dict[str, float]:
    """The quality of each member of an `Accept` or `Accept-Encoding` header, in its order; 1 where it names none.

    A quality that is none leaves its member out. Other parameters are not looked at.
    """
    found: dict[str, float] = {}
    for member in header.split(","):
        name, *parameters = (part.strip().lower() for part in member.split(";"))
        weights = [value.strip() for key, _, value in (one.partition("=") for one in parameters) if key.strip() == "q"]
        if name and all(_QUALITY.fullmatch(weight) for weight in weights[:1]):
            found.setdefault(name, float(weights[0]) if weights else 1.0)
    return found


def members(request: web.Request, name: str) -> list[str]:
    """The members of a header that is a list, in small letters; it may come in several lines: RFC 9110, 5.3."""
    listed = ",".join(request.headers.getall(name, ())).split(",")
    return [member for one in listed if (member := one.strip().lower())]


def media_type(header: str | None, usual: str, *by_name: str) -> str | None:
    """The type that a client gets: `usual`, or one of `by_name` that it names and likes no less; None if it takes none.

    Wildcards stand for `usual` as long as that is taken, and so does a header that is missing.
    """
    asked = qualities(header) if header is not None and header.strip() else {"*/*": 1.0}
    quality = _quality(asked, usual)
    for kind in by_name:
        if asked.get(kind, 0.0) > 0 and asked[kind] >= quality:
            return kind
    if quality > 0:
        return usual
    return next((kind for kind in by_name if _quality(asked, kind) > 0), None)


def _quality(asked: dict[str, float], kind: str) -> float:
    """How much a type is liked, by the most exact of what names it."""
    ranges = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    return next((asked[one] for one in ranges if one in asked), 0.0)


def takes_gzip(header: str | None) -> bool:
    """Whether a client likes an answer compressed with gzip no less than a plain one; without a header it does not."""
    asked = qualities(header or "")
    gzip = asked.get("gzip", asked.get("x-gzip", asked.get("*", 0.0)))
    # Plain answers are taken unless a client says otherwise.
    plain = asked.get("identity", asked.get("*", 0.0) if gzip else 1.0)
    return gzip > 0 and gzip >= plain


def is_visit(request: web.Request) -> bool:
    """Whether a browser opens /graphql to look at it."""
    return (
        request.path == "/graphql"
        and request.method == "GET"
        and "query" not in request.query
        and "Upgrade" not in request.headers
        and "text/html" in request.headers.get("Accept", "")
    )
