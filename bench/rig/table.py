"""How a figure is printed: the median of its rounds, and the least and the most."""

import math


def spread(values: list[float], unit: str = "x", digits: int = 2) -> str:
    """Such as `1.04x (0.98 to 1.10)`."""
    ordered = sorted(values)
    low, middle, high = (f"{ordered[at]:.{digits}f}" for at in (0, len(ordered) // 2, -1))
    return f"{middle}{unit} ({low} to {high})"


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def compared(pairs: list[tuple[float, float]], unit: str, digits: int = 1) -> str:
    """Such as `1.04x (0.98 to 1.10), 5.2 of 5.0 ms`: each round against its baseline, and the medians of both."""
    mine, base = (sorted(side)[len(pairs) // 2] for side in zip(*pairs, strict=True))
    # A short round may take less than a tick of the clock.
    ratios = [first / second if second else math.inf for first, second in pairs]
    return f"{spread(ratios)}, {mine:.{digits}f} of {base:.{digits}f}{unit}"
