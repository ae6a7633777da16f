"""The committed contract, and the house rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

from graphql import build_schema, validate_schema

import gql
from gql.schema import make_schema

ROOT = Path(__file__).resolve().parents[2]


def test_schema_graphql_is_what_the_code_serves() -> None:
    assert (ROOT / "schema.graphql").read_text() == make_schema().as_str() + "\n", "run `make schema` and commit it"


def test_the_contract_is_valid_and_no_output_field_names_a_secret() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    assert validate_schema(schema) == []
    output = [kind for kind in schema.type_map.values() if hasattr(kind, "fields") and not kind.name.startswith("__")]
    names = {f"{kind.name}.{field}" for kind in output if not kind.name.endswith("Input") for field in kind.fields}
    assert not [name for name in names if "password" in name.lower() or "privatekey" in name.lower()]
    assert "RecipeInput.secret" in {f"{kind.name}.{field}" for kind in output for field in kind.fields}


def test_the_printed_schema_does_not_depend_on_the_hash_seed() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-m", "playcast", "schema"],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {(ROOT / "schema.graphql").read_bytes()}


def test_the_package_gql_is_ours() -> None:
    assert gql.PLAYCAST is True
    assert Path(gql.__file__).parent == ROOT / "gql"


def test_nothing_depends_on_the_client_called_gql() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        names = {line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line}
        assert "aiohttp" in names
        assert "gql" not in names


def test_no_package_hides_ansible() -> None:
    assert list((ROOT / "ansible").rglob("__init__.py")) == []
