"""Where a stream of log bytes may be cut into chunks."""

MAX_TAIL = 3


def lines_end(data: bytes | bytearray, most: int, start: int = 0) -> int:
    """How many of the `most` bytes from `start` make whole lines; 0 if no line ends there."""
    return max(0, data.rfind(b"\n", start, start + most) + 1 - start)


def text_end(data: bytes | bytearray | memoryview, most: int) -> int:
    """How many of the first `most` bytes can go without splitting a UTF-8 sequence that goes on after them.

    Bytes that are no UTF-8 at all are not held back: at most the last three bytes are looked at.
    """
    end = min(len(data), most)
    for back in range(1, min(MAX_TAIL, end) + 1):
        byte = data[end - back]
        if byte < 0x80:
            return end
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end - back if length > back else end
    return end
