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
BECOMES = ("become_method", "become_user", "become_flags")
OUTPUTS = ("message", "stderr", "module_stderr", "stdout", "module_stdout")
SAYS_LITTLE = re.compile(r"non-zero return code|deserialization failed|MODULE FAILURE|Unknown error\.?$")
LAYERS = re.compile(r"^(?:(?:Task|Action|Module) failed: |Finalization of task args for '[^']*' failed: )+")
# Ansible 2.20 and later, beside `failed_when_result`.
HELD = re.compile(r"A 'failed_when' expression ")
SAYS_NOTHING = re.compile(r"No start of json char found|traceback unavailable")
NO_RESULT = re.compile(r"deserialization failed|MODULE FAILURE")
# What ssh itself says beside a command. It ends its lines with CR LF, even where the command has no terminal.
OF_SSH = re.compile(
    r"^(?:Warning: Permanently added .*|(?:Shared )?[Cc]onnection to \S+ closed\.|\*\* .*|Killed by signal \d+\."
    r"|Pseudo-terminal will not be allocated .*|mux_client_.*|Warning: .*post-quantum.*)\r$",
    re.MULTILINE,
)
# What shells and sudo say before they do their work all the same.
BESIDE = re.compile(
    r"^(?:\S*sh: (?:line \d+: )?warning: setlocale: .*|sudo: unable to (?:resolve host|change directory to) .*"
    r"|We trust you have received the usual lecture .*|Administrator\. It usually boils down to .*"
    r"|\s*#[123]\) (?:Respect the privacy|Think before you|With great power) .*"
    r"|For security reasons, the password .*)$",
    re.MULTILINE,
)
# A path as Python quotes it, in the text of an error of the system.
ERRNO = re.compile(r"(?P<what>\[Errno \d+\] [^:]+: )b?'(?P<path>[^']*)'")
SERVER = re.compile(r"srv-[0-9]+")
MAX_RESULT = 64 << 10  # bytes of JSON
MAX_TEXT = 2000  # characters of a message, and of each string in a result that is too large
MAX_OUTPUT = 1800  # characters of a message that come from the output of a command, counted from its end
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

        The mask is `mask(text) -> str` of the module `playcast_programs.masking`, if the process has one.
        """
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        masking = sys.modules.get("playcast_programs.masking")
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
    def becomes(fields: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
        """Give whom a task wanted to become and how, by its fields and by the variables that count for more."""
        given = {name: variables.get(f"ansible_{name}", fields.get(name)) for name in ("become", *BECOMES)}
        if not given["become"]:
            return {}
        told = {name: given[name] for name in BECOMES}
        return {name: _clean(value) for name, value in told.items() if isinstance(value, str) and "{{" not in value}

    @staticmethod
    def user(fields: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
        """Give who logs in for a task, as `becomes` does."""
        user = variables.get("ansible_user", fields.get("remote_user"))
        return {"user": _clean(user)} if isinstance(user, str) and "{{" not in user else {}

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
    def message(result: Mapping[str, Any], said: Sequence[str] = (), error: Any = None, *, failed: bool = True) -> str:
        """Give what a result says to people, at most MAX_TEXT characters; `said` is what failed items of a loop said.

        Where that is only that a command failed, the last lines of its output are added; where ansible knows of an
        `error` that is behind it, what that says. Several modules in one, as for facts, speak for themselves.
        Conditions of the playbook count only where the task has `failed`: one that was met at last tells of them too.
        """
        if _is_hidden(result):
            return _cut(_text(result.get("censored") or "hidden by no_log"))
        inner = result.get("failed_modules")
        parts = [CallbackModule.message(one) for one in inner.values()] if isinstance(inner, Mapping) else []
        told = "; ".join(dict.fromkeys(filter(None, parts))) or _told(result, error, failed=failed)
        parts = [*([] if told == "All items completed" else [told]), "; ".join(said[:MAX_ITEMS])]
        more = f" (and {len(said) - MAX_ITEMS} more)" if len(said) > MAX_ITEMS else ""
        return _cut(": ".join(filter(None, parts)), MAX_TEXT - len(more)) + more

    @staticmethod
    def item_message(result: Mapping[str, Any], error: Any = None) -> str:
        """Give what a failed item of a loop says, behind the name of the item."""
        label = "" if _is_hidden(result) else _text(result.get("_ansible_item_label") or "")
        told = LAYERS.sub("", CallbackModule.message(result, error=error), count=1)
        return f"{_cut(label, MAX_LABEL)}: {told}" if label else told


_clean = CallbackModule.clean


class _TooLarge(Exception):
    """Cutting strings cannot save it."""


def _is_hidden(result: Mapping[str, Any]) -> bool:
    return "censored" in result or bool(result.get("_ansible_no_log"))


def _told(result: Mapping[str, Any], error: Any, *, failed: bool) -> str:
    """Give what a result says, behind the condition of the playbook by which the task has failed."""
    told, condition = _reason(result, error), _condition(result) if failed else ""
    if not condition:
        return told
    if HELD.match(LAYERS.sub("", told)):
        told = ""
    return ": ".join(filter(None, (condition, told or "\n".join(_output(result)))))


def _condition(result: Mapping[str, Any]) -> str:
    """Name the condition by which a failed task may have failed."""
    held, attempts = result.get("failed_when_result"), result.get("attempts")
    if isinstance(held, str):
        # An error in the condition.
        return f"failed_when: {_text(held)}"
    if held is True:
        return "its failed_when came true"
    if isinstance(attempts, int):
        return f"gave up after {attempts} {'attempt' if attempts == 1 else 'attempts'}"
    return ""


def _reason(result: Mapping[str, Any], error: Any) -> str:
    """Give what a result says of itself, and what it is about where that is elsewhere."""
    told = next((_text(result[key]) for key in REASONS if result.get(key)), "")
    if SAYS_LITTLE.search(told):
        return _with_output(told.removesuffix("."), result)
    if told.removesuffix(".") == "Assertion failed" and result.get("assertion") is not None:
        return f"Assertion failed: {_text(result['assertion'])}"
    cause = _cause(told, error)
    return f"{told.removesuffix('.')}: {cause}" if cause else told


def _with_output(told: str, result: Mapping[str, Any]) -> str:
    """Add the last lines that a command printed, or what else is known of its end."""
    if lines := _output(result):
        return f"{told}: " + "\n".join(lines)
    if NO_RESULT.search(told):
        return f"instead of a result, its shell ended with code {result.get('rc')} without a word"
    if result.get("rc") is not None:
        return f"{told}: {result['rc']}"
    return "" if LAYERS.sub("", told) == "Unknown error" else told


def _output(result: Mapping[str, Any]) -> list[str]:
    """Give the last lines that a command printed."""
    lines = next((found for key in OUTPUTS if (found := _lines(key, result.get(key) or ""))), [])
    crashed = any("Traceback (most recent call last)" in line for line in lines)
    lines = lines[-1 if crashed else -MAX_LINES :]
    while len(lines) > 1 and sum(map(len, lines)) > MAX_OUTPUT:
        del lines[0]
    return lines


def _lines(key: str, output: Any) -> list[str]:
    """Give the lines of an output that may hold a reason. They are masked first: a secret may have several lines."""
    text = _clean(output) if isinstance(output, str) else _text(output)
    if key in {"stderr", "module_stderr"}:
        text = OF_SSH.sub("", text)
    lines = BESIDE.sub("", text.replace("\r", "")).splitlines()
    return [line.rstrip() for line in lines if line.strip()]


def _cause(told: str, error: Any) -> str:
    """Give what ansible says is behind `told`: the last in the chain of an error, if `told` is in it."""
    event, known, last = getattr(error, "event", None), False, ""
    while event is not None:
        last = str(event.msg).strip()
        known = known or last.removesuffix(".") == told.removesuffix(".")
        event = event.chain and event.chain.event
    last = ERRNO.sub(r"\g<what>\g<path>", _text(last))
    return last if known and last.removesuffix(".") not in told and not SAYS_NOTHING.search(last) else ""


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
