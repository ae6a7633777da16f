"""What failed without anybody having foreseen it: told in the log, seldom, and without the words of clients."""

import traceback

import structlog

from playcast.seldom import Seldom

log = structlog.get_logger()


class Faults:
    """The faults of one server."""

    def __init__(self) -> None:
        self._seldom = Seldom()

    def report(self, error: BaseException, where: str) -> None:
        """Log where something failed, once a minute for each place and kind."""
        if self._seldom.may((type(error).__name__, where)):
            log.error("a request failed", route=where, trace=trace_of(error))

    def away(self, error: BaseException) -> None:
        """Log that the database was away, once a minute."""
        if self._seldom.may("away"):
            log.warning("the database was away for a request", error=type(error).__name__)


def trace_of(error: BaseException) -> str:
    """The kinds of an error and of those behind it, each with the lines of code that it went through.

    Not their words: they may quote what a client has sent, such as its token.
    """
    parts = []
    chain: BaseException | None = error
    while chain is not None:
        parts.append(f"{type(chain).__name__}\n{''.join(traceback.format_tb(chain.__traceback__))}")
        chain = chain.__cause__ or chain.__context__
    return "\n".join(parts)
