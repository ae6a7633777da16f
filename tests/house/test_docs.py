"""The docs name what there is, and nothing that there is not."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, build_schema, parse, validate
from typer.main import get_group

from gql.schema import make_schema
from gql.subscriptions import MAX_WATCHED
from models.chunk import MAX_BYTES
from playcast import settings
from playcast.app import make_app
from playcast.commands.cli import app
from playcast.http.tally import REASONS, Tally
from playcast.routes.metrics import StarterCollector, TallyCollector, WorkerCollector
from playcast.settings import PREFIX, Settings
from runner.job_dir import JobDir
from runner.jobs.worker import Worker
from runner.limits import (
    DEFAULT_PAGE_BYTES,
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_BYTES,
    MAX_PAGE_SIZE,
    MAX_SERVERS_PER_JOB,
    MAX_TIMEOUT_SECONDS,
)
from runner.recipes import description
from runner.recipes.description import MAX_FACT_CACHE_SECONDS
from runner.start import fact_cache
from runner.start.cold_start import ColdStart

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SCHEMA = build_schema(make_schema().as_str())
COMMANDS = get_group(app).commands
TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
ROOTS = ("Query", "Mutation", "Subscription")
INPUTS = [
    kind for kind in SCHEMA.type_map.values() if isinstance(kind, GraphQLInputObjectType) and kind.name[:2] != "__"
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NOT_A_SETTING = {"PLAYCAST_EVENTS", "PLAYCAST_FACTS", "PLAYCAST_JOB"}
"""The variables that a job gets, for the plugins inside ansible."""


def page(name: str) -> str:
    return (ROOT / name).read_text()


def row(text: str, first_cell: str) -> list[str]:
    """The cells of the one table row that starts with this cell."""
    rows = [line for line in text.splitlines() if line.startswith(f"| {first_cell} |")]
    assert len(rows) == 1, f"{len(rows)} rows start with {first_cell}"
    return [cell.strip() for cell in rows[0].strip("|").split(" | ")]


def names_of(kind: str) -> list[str]:
    found = SCHEMA.type_map[kind]
    assert isinstance(found, GraphQLObjectType)
    return list(found.fields)


def fences(language: str) -> list[tuple[str, str]]:
    """(page and place, content) of each code fence in this language."""
    return [
        (f"{path.relative_to(ROOT)}:{path.read_text()[: match.start()].count(chr(10)) + 1}", match[2])
        for path in PAGES
        for match in FENCE.finditer(path.read_text())
        if match[1] == language
    ]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_row(name: str) -> None:
    cells = row(page("docs/settings.md"), f"`{PREFIX}{name.upper()}`")

    default = Settings.model_fields[name].default
    if isinstance(default, bool | int) or (isinstance(default, str) and default):
        assert cells[1] == f"`{str(default).lower()}`"
    if default is None:
        assert cells[1] == "none"


def test_the_longest_timeout_is_told() -> None:
    assert f"1 to {MAX_TIMEOUT_SECONDS} " in row(page("docs/settings.md"), "`PLAYCAST_TIMEOUT`")[2]


def test_every_key_of_a_recipe_is_told() -> None:
    text = page("docs/recipes.md")
    assert [key for key in description.KEYS if f"`{key}`" not in text and f"\n{key}:" not in text] == []
    assert f" {MAX_FACT_CACHE_SECONDS} " in row(text, "`fact_cache`")[1]
    for bound in (f"{fact_cache.MOST_BYTES // 1024**2} MiB", f"{fact_cache.MOST_AT_ONCE // 1024**2} MiB"):
        assert bound in text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]", path.read_text())) - NOT_A_SETTING
    misspelt = {"PLAYCAST_TIMEOUTS"} if path.name == "settings.md" else set()
    assert settings.unknown_names(dict.fromkeys(named, "")) == sorted(misspelt)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"`playcast {name}" in page("README.md")


@pytest.mark.parametrize("name", TARGETS)
def test_every_make_target_is_told(name: str) -> None:
    assert re.search(rf"\bmake {name}\b", page("README.md") + page("CONTRIBUTING.md"))


@pytest.mark.parametrize(("place", "content"), fences("sh"), ids=[place for place, _ in fences("sh")])
def test_examples_call_commands_that_exist(place: str, content: str) -> None:
    for line in content.replace("\\\n", " ").splitlines():
        # Only whole words count: the body of a request goes over several lines, with an open quote.
        words = [word for word in line.removeprefix("$ ").split() if "=" not in word]
        if len(words) > 1 and words[0] == "make":
            assert words[1] in TARGETS, line
        if words and words[0].rpartition("/")[2] == "playcast":
            command = COMMANDS.get(words[1])
            assert command is not None, line
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in shlex.split(line) if word.startswith("--")} <= options, line


@pytest.mark.parametrize("name", [name for root in ROOTS for name in names_of(root)])
def test_every_operation_is_told(name: str) -> None:
    assert re.search(rf"^\| `{name}\b", page("docs/clients.md"), re.MULTILINE)


@pytest.mark.parametrize("root", ROOTS)
def test_every_argument_is_told(root: str) -> None:
    kind = cast("GraphQLObjectType", SCHEMA.type_map[root])
    for name, field in kind.fields.items():
        if field.args and root != "Mutation":
            assert f"| `{name}({', '.join(field.args)})` |" in page("docs/clients.md")


@pytest.mark.parametrize("kind", INPUTS, ids=lambda kind: kind.name)
def test_every_field_of_an_input_is_told(kind: GraphQLInputObjectType) -> None:
    missing = [name for name in kind.fields if f"`{name}`" not in page("docs/clients.md")]
    assert missing == []


@pytest.mark.parametrize(
    "value",
    [
        value
        for kind in SCHEMA.type_map.values()
        if isinstance(kind, GraphQLEnumType) and not kind.name.startswith("__")
        for value in kind.values
    ],
)
def test_every_enum_value_is_told(value: str) -> None:
    assert f"`{value}`" in page("docs/clients.md") + page("docs/states.md")


@pytest.mark.parametrize("kind", ["JobStatus", "JobFailureReason"])
def test_every_state_and_reason_has_a_row(kind: str) -> None:
    for value in cast("GraphQLEnumType", SCHEMA.type_map[kind]).values:
        row(page("docs/states.md"), f"`{value}`")


def test_every_type_without_an_id_is_a_part_to_caches() -> None:
    (keys,) = [content for _, content in fences("js") if "export const keys" in content]
    without = [
        name
        for name, kind in SCHEMA.type_map.items()
        if isinstance(kind, GraphQLObjectType)
        and "id" not in kind.fields
        and not name.startswith("__")
        and not name.endswith(("Connection", "Edge", "Payload"))
    ]
    assert sorted([*re.findall(r"\b(\w+): part", keys), "Recipe", *ROOTS]) == sorted(without)


@pytest.mark.parametrize(("place", "content"), fences("graphql"), ids=[place for place, _ in fences("graphql")])
def test_examples_fit_the_schema(place: str, content: str) -> None:
    assert validate(SCHEMA, parse(content)) == []


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("page size `first`", f"1 to {MAX_PAGE_SIZE}, default {DEFAULT_PAGE_SIZE}"),
        ("log page `maxBytes`", f"1 to {MAX_PAGE_BYTES}, default {DEFAULT_PAGE_BYTES}"),
        ("the same in a list of jobs", f"1 to {DEFAULT_PAGE_BYTES}"),
        ("bytes of log in one chunk", f"{MAX_BYTES}"),
        ("servers in one job", f"{MAX_SERVERS_PER_JOB}"),
        ("ids in one `jobUpdated`", f"{MAX_WATCHED}"),
    ],
)
def test_the_limits_are_the_real_ones(limit: str, value: str) -> None:
    assert row(page("docs/clients.md"), limit)[1] == value


async def test_every_route_is_told(tmp_path: Path) -> None:
    router = make_app(settings.load({}, data_dir=tmp_path)).router
    told = page("docs/clients.md") + page("docs/operate.md")

    assert [route.canonical for route in router.resources() if not re.search(f"[` ]{route.canonical}`", told)] == []


@pytest.mark.parametrize("name", [path.name for path in vars(JobDir(Path(), 1)).values() if path != Path("1")])
def test_every_file_of_a_job_is_told(name: str) -> None:
    row(page("docs/architecture.md"), f"`{name}`")


def test_every_metric_is_told() -> None:
    worker = cast("Worker", SimpleNamespace(running=(), slots=1, ended=0))
    collected = [*WorkerCollector(worker).collect(), *StarterCollector(ColdStart()).collect()]
    collected += TallyCollector(Tally()).collect()
    names = [sample.name for metric in collected for sample in metric.samples]

    assert names == [
        *("playcast_jobs_running", "playcast_slots", "playcast_jobs_ended"),
        *("playcast_launcher_warm", "playcast_jobs_started_warm_total", "playcast_jobs_started_cold_total"),
        *("playcast_connections", *["playcast_refused_total"] * len(REASONS)),
    ]
    for name in names:
        row(page("docs/operate.md"), f"`{name}`")
    for reason in REASONS:
        assert f"`{reason}`" in row(page("docs/operate.md"), "`playcast_refused_total`")[1]


def test_every_code_of_an_error_is_told() -> None:
    """Codes are written where they are given, so they are looked for in the source."""
    source = "".join(file.read_text() for folder in ("gql", "playcast") for file in (ROOT / folder).rglob("*.py"))
    codes = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source)) - {"DATABASE_URL", "DIRECTIVE_DEFINITION"}
    missing = [code for code in sorted(codes) if f"`{code}`" not in page("docs/clients.md") + page("docs/states.md")]
    assert missing == []


@pytest.mark.parametrize(
    "warning", re.findall(r'"(jobs start cold: [^"]*)"', (ROOT / "runner/start/warm_start.py").read_text())
)
def test_every_warning_of_the_launcher_is_told(warning: str) -> None:
    row(page("docs/operate.md"), f"`{warning}`")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text()):
        target, _, place = link.partition("#")
        if "://" in target:
            continue
        file = path.parent / target if target else path
        assert file.exists(), link
        if place:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.name)
def test_every_page_can_be_found(path: Path) -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in LINK.findall(page.read_text())
    }
    assert path.resolve() in linked


def test_the_readme_shows_each_picture() -> None:
    shown = set(re.findall(r"docs/pictures/([a-z-]+\.png)", page("README.md")))
    pictures = {picture.name: picture.stat().st_size for picture in (ROOT / "docs/pictures").iterdir()}
    assert shown == set(pictures)
    # Small enough to be fetched by whoever opens the page of the project.
    assert max(pictures.values()) < 100_000
