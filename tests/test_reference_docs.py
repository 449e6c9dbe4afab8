"""The reference pages name everything there is: record fields, kinds, flags, states, causes, replay's options."""

import re

import pytest

from ringbook.engine import layout
from ringbook.io.cli import build_parser

from .source_tree import ROOT
from .test_cli import parsers

RECORDS, HANDLERS, REPLAY = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("records", "handlers", "replay")
)


def section(title: str) -> str:
    """A section of records.md."""
    return RECORDS.split(f"\n## {title}\n")[1].split("\n## ")[0]


def numbered(title: str) -> dict[int, str]:
    """Rows `| code | text |` of a section."""
    return {
        int(code): text.strip() for code, text in re.findall(r"^\| (\d+) \| ([^|]+)", section(title), re.M)
    }


TYPES = {"int64": "<i8", "uint8": "|u1", "uint32": "<u4"}


def test_every_field_of_a_record_is_described_with_its_type():
    rows = re.findall(r"^\| `(\w+)` \| (\w+?)((?:\[\w\])*) \|", section("Header") + section("Payload"), re.M)
    dtype = layout.record_dtype(7)
    assert sorted(name for name, _, _ in rows) == sorted(dtype.names)
    for name, kind, shape in rows:
        base, sizes = dtype[name].subdtype or (dtype[name], ())
        assert base.str == TYPES[kind], name
        assert shape == "".join(f"[{'N' if size == 7 else size}]" for size in sizes), name


def test_kinds_health_and_causes():
    assert numbered("Kinds") == layout.KIND_NAMES
    assert numbered("Health") == dict(enumerate(layout.HEALTH_NAMES))
    causes = numbered("Causes")
    assert list(causes) == list(range(len(layout.CAUSE_NAMES)))
    for code, name in enumerate(layout.CAUSE_NAMES):
        assert causes[code].startswith(name)


def test_every_field_of_the_ledger_is_described_with_its_type():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section("Ledger"), re.M)
    assert sorted(name for name, _ in rows) == sorted(layout.gap_dtype.names or ())
    kinds = TYPES | {"int32": "<i4", "bytes": f"|S{layout.SYMBOL_BYTES}"}
    assert all(layout.gap_dtype[name].str == kinds[kind] for name, kind in rows)
    assert f"last {layout.LEDGER_ROWS:,} of all symbols" in section("Ledger")


def test_every_counter_of_the_audit_is_described():
    operating = (ROOT / "docs" / "operating.md").read_text()
    described = set(re.findall(r"^\| `(audit\w+)` \|", operating, re.M))
    assert described == {name for name in layout.COUNTER_NAMES if name.startswith("audit")}


def test_flags():
    flags = {name: value for name, value in vars(layout).items() if name.startswith("FLAG_")}
    assert {text: code for code, text in numbered("Flags").items()} == flags


def test_sizes_named_are_those_of_the_layout():
    assert f"header of {layout.RECORD_HEADER_BYTES} bytes" in RECORDS
    assert f"{layout.slot_bytes(layout.TOP_N_DEFAULT)} bytes\ntogether" in RECORDS.replace(
        " together", "\ntogether"
    )


@pytest.mark.parametrize(
    "word", ["handler(record, state) -> int", "boundscheck=True", "cache=True", "FLAG_FROM_BOARD"]
)
def test_the_handler_contract_says(word):
    assert word in HANDLERS


def test_every_option_and_exit_code_of_replay():
    named = set(re.findall(r"^\| `(--[\w-]+)` \|", REPLAY, re.M))
    options = {
        o for action in parsers()["replay"]._actions for o in action.option_strings if o.startswith("--")
    }
    assert named == options - {"--help"}
    assert re.findall(r"^\| (\d) \|", REPLAY, re.M) == ["0", "1", "2", "3"]
    assert build_parser().parse_args(["replay", "x", "--venue", "binance-spot"]).top_n == layout.TOP_N_DEFAULT
