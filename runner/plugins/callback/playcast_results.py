"""What a task came to, as everybody may see it: plain JSON, without secrets, no larger than it may be."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: playcast_results
type: notification
short_description: Makes results fit for the events of a job
description:
  - The part of P(playcast_events#callback) that reads results; ansible loads plugins only from files of their own.
  - Does nothing when it is enabled.
requirements:
  - Beside playcast_events.
"""

DROPPED = {"ansible_facts", "exception", "invocation", "results"}
UNDER_NO_LOG = ("censored", "changed", "attempts", "retries")
REASONS = ("msg", "reason", "skip_reason", "skipped_reason")
OUTPUTS = ("message", "stderr", "module_stderr", "stdout", "module_stdout")
SAYS_LITTLE = re.compile(r"non-zero return code|deserialization failed|MODULE FAILURE|Unknown error\.?$")
SERVER = re.compile(r"srv-[0-9]+")
MAX_RESULT = 64 << 10  # bytes of JSON
MAX_TEXT = 2000  # characters of a message, and of each string in a result that is too large
MAX_LABEL = 100  # characters of the name of a loop's item
MAX_ITEMS = 3
MAX_LINES = 10


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible ships no types
    """Hears no event itself: playcast_events derives from it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "playcast_results"
    CALLBACK_NEEDS_ENABLED = True

    @staticmethod
    def clean(text: str) -> str:
        """Mask a text in full, and replace what UTF-8 or PostgreSQL cannot hold: lone surrogates and NUL.

        The mask is `mask(text) -> str` of a module `playcast_mask` that the launcher may have put into the process.
        """
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        masking = sys.modules.get("playcast_mask")
        masked: str = text if masking is None else masking.mask(text)
        return masked.replace("\0", "\ufffd")

    @staticmethod
    def host_name(name: str) -> str:
        """Mask the name of a host, unless it is one of Playcast's own: a secret may be "1234", and so a server."""
        return name if SERVER.fullmatch(name) else _clean(name)

    @staticmethod
    def delegate(result: Any) -> str | None:
        """Give the name of the host that a task ran on in place of its own; None if it ran on its own."""
        delegate = result.task.delegate_to
        told = result.result.get("_ansible_delegated_vars")
        if isinstance(told, Mapping) and isinstance(told.get("ansible_delegated_host"), str):
            delegate = told["ansible_delegated_host"]
        # Of a loop each item may run elsewhere, and only they know where.
        if not isinstance(delegate, str) or "{{" in delegate or delegate == result.host.get_name():
            return None
        return CallbackModule.host_name(delegate)

    @staticmethod
    def fit(result: Mapping[str, Any]) -> tuple[Any, bool]:
        """Give what is kept of a result as JSON values, and whether something was cut off for its size.

        Of a result under no_log only what ansible puts in its place is kept. Never kept: keys of ansible itself, and
        `stdout_lines` and `stderr_lines`, which repeat their texts (and would show a masked one line by line).
        None in place of a result that is too large even with its strings cut.
        """
        if _is_hidden(result):
            kept = {key: result[key] for key in UNDER_NO_LOG if key in result}
        else:
            twins = {f"{name}_lines" for name in ("stdout", "stderr") if isinstance(result.get(name), str)}
            kept = {key: value for key, value in result.items() if key not in DROPPED | twins}
        try:
            plain = _plain(kept)
            if len(json.dumps(plain)) <= MAX_RESULT:
                return plain, False
            short = _shorten(plain)
            return (short, True) if len(json.dumps(short)) <= MAX_RESULT else (None, True)
        except Exception:  # noqa: BLE001 # too large, too deep, a number too long: the event goes on without
            return None, True

    @staticmethod
    def message(result: Mapping[str, Any], said: Sequence[str] = ()) -> str:
        """Give what a result says to people, at most MAX_TEXT characters; `said` is what failed items of a loop said.

        Where that is only that a command failed, the last lines of its output are added.
        """
        if _is_hidden(result):
            return _cut(_text(result.get("censored") or "hidden by no_log"))
        told = next((_text(result[key]) for key in REASONS if result.get(key)), "")
        if SAYS_LITTLE.search(told):
            output = next((text for key in OUTPUTS if (text := _text(result.get(key) or ""))), "")
            lines = output.splitlines()[-1 if "Traceback (most recent call last)" in output else -MAX_LINES :]
            told = ": ".join([told.removesuffix("."), "\n".join(lines) or str(result.get("rc"))])
        parts = [*([] if told == "All items completed" else [told]), "; ".join(said[:MAX_ITEMS])]
        more = f" (and {len(said) - MAX_ITEMS} more)" if len(said) > MAX_ITEMS else ""
        return _cut(": ".join(filter(None, parts)), MAX_TEXT - len(more)) + more

    @staticmethod
    def item_message(result: Mapping[str, Any]) -> str:
        """Give what a failed item of a loop says, behind the name of the item."""
        label = "" if _is_hidden(result) else _text(result.get("_ansible_item_label") or "")
        told = CallbackModule.message(result)
        return f"{_cut(label, MAX_LABEL)}: {told}" if label else told


_clean = CallbackModule.clean


class _TooLarge(Exception):
    """Cutting strings cannot save it."""


def _is_hidden(result: Mapping[str, Any]) -> bool:
    return "censored" in result or bool(result.get("_ansible_no_log"))


def _number(value: float) -> float | str | None:
    """A number as it is, unless it is a secret; JSON has no infinity."""
    written = str(value)
    if _clean(written) != written:
        return _clean(written)
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Copy a value into JSON values, every string masked; raises _TooLarge early, for the sake of speed."""
    room = MAX_RESULT

    def copy(value: Any) -> Any:
        nonlocal room
        room -= 2
        if room < 0:
            raise _TooLarge
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return _number(value)
        if isinstance(value, Mapping):
            return {copy(str(key)): copy(item) for key, item in value.items() if not str(key).startswith("_ansible")}
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str):
            return [copy(item) for item in value]
        text = _clean(str(value))
        room -= min(len(text), MAX_TEXT)
        return text

    return copy(value)


def _shorten(plain: Any) -> Any:
    if isinstance(plain, str):
        return plain if len(plain) <= MAX_TEXT else f"{plain[:MAX_TEXT]}… ({len(plain) - MAX_TEXT} more characters)"
    if isinstance(plain, dict):
        return {key: _shorten(value) for key, value in plain.items()}
    return [_shorten(item) for item in plain] if isinstance(plain, list) else plain


def _text(value: Any) -> str:
    """Mask a value in full and give it as text for people; nothing in place of a list that is too large."""
    if isinstance(value, str):
        return _clean(value).strip()
    try:
        return json.dumps(_plain(value), ensure_ascii=False)
    except _TooLarge:
        return ""


def _cut(text: str, limit: int = MAX_TEXT) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
