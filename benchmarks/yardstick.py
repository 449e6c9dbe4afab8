"""The Rust yardstick: build it if cargo is there, hand it input, read its answers.

The crate lies in `benchmarks/rust`. It does the same work on the same bytes: simd-json into typed structs with
integer prices, a BTreeMap (or sorted vectors) as full book, the same record and publishing protocol.
"""

import functools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

CRATE = Path(__file__).with_name("rust")
BOOKS = ("tree", "flat")


@functools.cache
def build() -> Path | None:
    """Compile for this CPU; the program, or None with a line that says why not."""
    if shutil.which("cargo") is None:
        sys.stdout.write("the Rust yardstick is left out: no cargo here\n")
        return None
    target = Path(
        os.environ.get("CARGO_TARGET_DIR") or Path(tempfile.gettempdir()) / f"yardstick-{os.getuid()}"
    )
    environment = os.environ | {"RUSTFLAGS": "-C target-cpu=native", "CARGO_TARGET_DIR": str(target)}
    command = [
        "cargo",
        "build",
        "--release",
        "--quiet",
        "--manifest-path",
        str(CRATE / "Cargo.toml"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stdout.write(
            f"the Rust yardstick is left out: it could not be built: {done.stderr.strip()[-300:]}\n"
        )
        return None
    return target / "release" / "yardstick"


def version() -> str:
    """rustc and the crates that matter, for the machine line."""
    text = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[
        1
    ]
    lock = (CRATE / "Cargo.lock").read_text().split("[[package]]")
    found = {}
    for part in lock:
        lines = dict(line.split(" = ", 1) for line in part.strip().splitlines() if " = " in line)
        found[lines.get("name", "").strip('"')] = lines.get("version", "").strip('"')
    names = ("simd-json", "tokio", "tokio-tungstenite", "rustls")
    return ", ".join([f"rustc {text}", *(f"{name} {found[name]}" for name in names)])


def pack(path: Path, messages: list[bytes]) -> Path:
    """Write messages as the program reads them: u32 length, then the text."""
    path.write_bytes(b"".join(struct.pack("<I", len(text)) + text for text in messages))
    return path


def command(program: Path, what: str, **options: object) -> list[str]:
    """The command line of one run."""
    named = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [str(program), what, *named]


def run(program: Path, what: str, **options: object) -> dict:
    """One run's answer."""
    done = subprocess.run(command(program, what, **options), capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{what} of the yardstick failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)
