"""What clients can cause is said seldom in the server's log."""

import logging

from playcast.seldom import EVERY_SECONDS, MOST_KEYS, Seldom, SeldomFilter


class Clock:
    """A time that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_thing_is_said_once() -> None:
    clock = Clock()
    seldom = Seldom(now=clock)
    assert [seldom.may("a"), seldom.may("a"), seldom.may("b"), seldom.may("a")] == [True, False, True, False]
    clock.now += EVERY_SECONDS - 0.001
    assert [seldom.may("a"), seldom.may("b")] == [False, False]
    clock.now += 0.001
    assert [seldom.may("a"), seldom.may("a"), seldom.may("b")] == [True, False, True]


def test_no_more_than_so_many_things_are_said() -> None:
    clock = Clock()
    seldom = Seldom(now=clock)
    assert [seldom.may(number) for number in range(MOST_KEYS + 50)] == [True] * MOST_KEYS + [False] * 50
    assert len(seldom._said) == MOST_KEYS
    clock.now += EVERY_SECONDS
    assert seldom.may("another")
    assert len(seldom._said) == 1


def test_a_library_repeats_no_message_with_other_words() -> None:
    """As `socket.send() raised exception.`, or words of a client in each."""
    filtering = SeldomFilter()

    def record(name: str, line: int, word: str) -> logging.LogRecord:
        return logging.LogRecord(name, logging.WARNING, "library.py", line, "a client said %s", (word,), None)

    seen = [filtering.filter(record("library", 1, str(number))) for number in range(1000)]
    assert (sum(seen), seen[0]) == (1, True)
    assert filtering.filter(record("library", 2, "x"))
    assert filtering.filter(record("another", 1, "x"))
