"""Settings: the only place that reads the environment. docs/settings.md describes each one."""

import os
import socket
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from playcast.setting_texts import (
    NOT_UTF8,
    SPLIT_BY_ANSIBLE,
    bracketed,
    check_host,
    check_path,
    check_text,
    check_token,
    check_url,
    is_loopback,
    shown,
)
from runner.errors import PlaycastError
from runner.limits import MAX_ROWS, MAX_TIMEOUT_SECONDS
from runner.programs.spellings import Masking, masking
from runner.programs.system_errors import explained
from runner.retention.rules import Retention

PREFIX = "PLAYCAST_"
_SECRETS = ("token", "secret_key", "mask_words")
_MIN_TOKEN = 8
_MOST_DAYS = 36500


class LauncherMode(StrEnum):
    """How jobs start."""

    WARM = "warm"
    COLD = "cold"


class OnStop(StrEnum):
    """What happens to running jobs when their server or worker is told to stop."""

    LEAVE = "leave"
    WAIT = "wait"


class OnPartition(StrEnum):
    """What a worker does with running jobs while it cannot reach the database."""

    CONTINUE = "continue"
    STOP = "stop"


class Settings(BaseSettings):
    """Every value that an installation may choose."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback needs a token.")
    port: int = Field(3001, ge=0, le=65535, description="TCP port to listen on.")
    data_dir: Path = Field(Path("data"), description="Where the database and the secret key live.")
    jobs_dir: Path = Field(Path(), description="Where job directories live; default: `jobs` in the data directory.")
    database_url: str = Field("", description="Default: `playcast.sqlite3` in the data directory.")
    ansible_dir: Path = Field(Path(), description="Playbooks, roles, group_vars and ansible.cfg.")
    keys_dir: Path | None = Field(None, description="Mounted private keys that `keyFile` credentials name.")
    token: str | None = Field(None, description="Bearer token that guards every route and socket.")
    token_file: Path | None = Field(None, description="A file that holds the token.")
    secret_key: str | None = Field(None, description="Fernet key that encrypts secrets in the database.")
    secret_key_file: Path | None = Field(None, description="A file that holds the secret key.")
    slots: int = Field(
        default_factory=lambda: 2 * (os.cpu_count() or 1),
        ge=1,
        le=1000,
        description="Jobs that run at the same time.",
    )
    timeout: int = Field(1800, ge=1, le=MAX_TIMEOUT_SECONDS, description="Seconds after which a job is stopped.")
    cancel_grace: float = Field(5, ge=0, le=600, description="Seconds a job has to end by itself when it must.")
    keep_logs_days: float | None = Field(
        None, gt=0, le=_MOST_DAYS, description="Days after which the log of a finished job goes."
    )
    keep_logs_bytes: int | None = Field(None, ge=1, description="Bytes that logs of finished jobs may have in all.")
    keep_jobs_days: float | None = Field(
        None, gt=0, le=_MOST_DAYS, description="Days after which a finished job goes, with all that it left."
    )
    keep_jobs_bytes: int | None = Field(None, ge=1, description="Bytes that finished jobs may take up in all.")
    log_cap: int = Field(1024**3, ge=64 * 1024, description="Bytes at which the log of a job is cut.")
    mask_words: str | None = Field(None, description="More words to mask in logs, one on each line.")
    mask_words_file: Path | None = Field(None, description="A file that holds the words to mask.")
    keep_connections: int = Field(
        60, ge=0, le=3600, description="Seconds that a job's ssh connections wait for the next job; 0 keeps none."
    )
    serve_jobs: bool | None = Field(
        None, description="Whether `serve` runs jobs itself; default: only without PostgreSQL."
    )
    lost_grace: float = Field(
        60, ge=0, le=86400, description="Seconds that the job of a lost worker keeps its servers."
    )
    on_partition: OnPartition = Field(
        OnPartition.CONTINUE, description="What a worker without the database does with its jobs."
    )
    on_stop: OnStop = Field(OnStop.LEAVE, description="Whether running jobs are left to the next start or waited for.")
    launcher: LauncherMode = Field(LauncherMode.WARM, description="warm: fork jobs from a process that has ansible.")
    max_rows: int = Field(
        MAX_ROWS, ge=100, le=1_000_000, description="Rows that the answer to one GraphQL operation may have, estimated."
    )
    graphiql: bool = Field(default=True, description="Serve GraphiQL to browsers at /graphql.")
    worker: str = Field(
        default_factory=socket.gethostname, min_length=1, max_length=128, description="Name of this machine's worker."
    )
    _jobs_named_by: str = PrivateAttr("data_dir")
    url: str = Field("", description="Where `run` and `logs` find the server; default: host and port above.")

    @classmethod
    def settings_customise_sources(  # noqa: D102 (pydantic's hook)
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (pydantic's signature)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._check_texts()
        self.data_dir = self.data_dir.absolute()
        self._jobs_named_by = "jobs_dir" if self.jobs_dir.parts else "data_dir"
        self.jobs_dir = self.jobs_dir.absolute() if self.jobs_dir.parts else self.data_dir / "jobs"
        self.ansible_dir = self.ansible_dir.absolute() if self.ansible_dir.parts else shipped_ansible_dir()
        self.database_url = self.database_url or url_of(self.data_dir / "playcast.sqlite3")
        self.url = self.url.rstrip("/") or f"http://{bracketed(self.host)}:{self.port}"
        if self.embedded and self.serve_jobs is False:
            message = "PLAYCAST_SERVE_JOBS: with SQLite the server alone can run jobs; leave it out, or use PostgreSQL"
            raise ValueError(message)
        for name in _SECRETS:
            setattr(self, name, self._secret(name))
        self._check_mask_words()
        if self.token is not None and (len(self.token) < _MIN_TOKEN or not self.token.isascii()):
            message = f"PLAYCAST_TOKEN needs at least {_MIN_TOKEN} plain characters"
            raise ValueError(message)
        if self.token is not None:
            check_token(_named("token"), self.token)
        return self

    def _check_texts(self) -> None:
        """ValueError that names a text which does not fit where it goes."""
        check_host(_named("host"), self.host)
        check_text(_named("worker"), self.worker)
        if self.url:
            check_url(_named("url"), self.url)

    def check_paths(self) -> None:
        """PlaycastError if a path has a character that cannot be used there. Who only calls a server has none."""
        for name, path in self._paths():
            check_path(_named(name), path)
        if self.embedded and not file_of(self.database_url).name:
            message = "PLAYCAST_DATABASE_URL: it names no file; write it as sqlite:///path/to/playcast.sqlite3"
            raise PlaycastError(message)
        check_path(_named(self._jobs_named_by), self.jobs_dir, SPLIT_BY_ANSIBLE)
        check_path(_named("ansible_dir"), self.ansible_dir, SPLIT_BY_ANSIBLE)

    def _paths(self) -> Iterator[tuple[str, Path]]:
        """Every path that is set, by its setting."""
        yield from (("data_dir", self.data_dir), ("jobs_dir", self.jobs_dir), ("ansible_dir", self.ansible_dir))
        if self.embedded:
            yield "database_url", file_of(self.database_url)
        for name in ("keys_dir", "token_file", "secret_key_file", "mask_words_file"):
            if (path := getattr(self, name)) is not None:
                yield name, path

    def _secret(self, name: str) -> str | None:
        value: str | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if value is not None and file is not None:
            message = f"set {_named(name)} or {_named(name)}_FILE, not both"
            raise ValueError(message)
        if file is None:
            return value
        try:
            content = file.read_text().strip()
        except (OSError, UnicodeError) as error:
            # Without the path, which is there already.
            why = explained(OSError(error.errno, error.strerror)) if isinstance(error, OSError) else "it is not UTF-8"
            message = f"{_named(name)}_FILE: {shown(file)} cannot be read ({why})"
            raise ValueError(message) from error
        if not content:
            message = f"{_named(name)}_FILE: {shown(file)} is empty"
            raise ValueError(message)
        return content

    def _check_mask_words(self) -> None:
        """ValueError that names the lines whose words no log would hide, or could hold; it does not show them."""
        lines = list(enumerate((self.mask_words or "").splitlines(), 1))
        if broken := [str(number) for number, line in lines if not _is_utf8(line)]:
            message = f"PLAYCAST_MASK_WORDS: line {', '.join(broken)} {NOT_UTF8}: write it as UTF-8"
            raise ValueError(message)
        shown = [str(number) for number, line in lines if line.strip() and masking(line) is Masking.NOWHERE]
        if shown:
            message = (
                f"PLAYCAST_MASK_WORDS: what stands in line {', '.join(shown)} cannot be masked, as it is everywhere: "
                "a single character, signs alone, or a word such as true or ok; leave it out"
            )
            raise ValueError(message)

    @property
    def embedded(self) -> bool:
        """Whether the database is a file of this process, and not one that several share."""
        return self.database_url.startswith("sqlite://")

    @property
    def runs_jobs(self) -> bool:
        """Whether `serve` runs jobs itself."""
        return self.embedded if self.serve_jobs is None else self.serve_jobs

    @property
    def retention(self) -> Retention:
        """How much of logs and jobs is kept."""
        return Retention(self.keep_logs_days, self.keep_logs_bytes, self.keep_jobs_days, self.keep_jobs_bytes)

    @property
    def masked_words(self) -> tuple[str, ...]:
        """The words to mask in every log besides a job's own secrets."""
        return tuple(word for line in (self.mask_words or "").splitlines() if (word := line.strip()))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def _named(name: str) -> str:
    """A setting as the environment has it."""
    return PREFIX + name.upper()


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)


def file_of(url: str) -> Path:
    """The file of a SQLite URL."""
    return Path(unquote(url.partition("://")[2].partition("?")[0]))


def url_of(file: Path) -> str:
    """The SQLite URL of a file, whatever characters its path has."""
    return f"sqlite://{str(file).replace('%', '%25').replace('?', '%3F')}"


def shipped_ansible_dir() -> Path:
    """`ansible/` of the checkout, else the copy inside the installed package."""
    here = Path(__file__).resolve().parent
    checkout = here.parent / "ansible"
    return checkout if (checkout / "ansible.cfg").is_file() else here / "_ansible"


def load(environment: Mapping[str, str] | None = None, **given: object) -> Settings:
    """The settings of this process; PlaycastError is one clear line that names the setting. `given` wins."""
    environment = os.environ if environment is None else environment
    chosen = {name: value for name, value in given.items() if value is not None}
    if "DATABASE_URL" in environment and PREFIX + "DATABASE_URL" not in environment:
        chosen.setdefault("database_url", environment["DATABASE_URL"])
    try:
        return Settings(**chosen)  # type: ignore[arg-type]  # pydantic checks each value
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper() + ": " if first["loc"] else ""
        message = f"{name}{first['msg'].removeprefix('Value error, ')}"
        raise PlaycastError(message) from error


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """Names that look like settings and are none: most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
