"""Rooms and their doors: who may import what, who may touch the world, who may speak LLVM."""

import ast
import re
from pathlib import Path

from .source_tree import (
    ENGINE,
    IO,
    KERNELS,
    PACKAGE,
    ROOT,
    SOURCES,
    TESTS,
    imports_of,
    judge,
    name_of,
    room_of,
    tree_of,
)

# Offsets, codes and exact arithmetic that everybody stands on; they stand on each other only.
GROUND = tuple(f"ringbook.engine.{name}" for name in ("layout", "workspace", "routes", "units"))
MAY_IMPORT = {
    "ground": GROUND,
    "kernels": (*GROUND, "ringbook.engine.jit", "ringbook.engine.kernels"),
    "analysis": (
        *GROUND,
        "ringbook.engine.jit",
        "ringbook.engine.kernels",
        "ringbook.engine.analysis",
    ),
    "engine": ("ringbook.engine",),
    "io": ("ringbook.engine", "ringbook.io", "ringbook.__version__"),
    "door": ("ringbook",),
}


def below(name: str, rooms: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of `rooms` or inside one."""
    return any(name == room or name.startswith(room + ".") for room in rooms)


def allowed_in(path: Path) -> tuple[str, ...]:
    """What a file may import of the project."""
    is_ground = "ringbook." + name_of(path)[:-3].replace("/", ".") in (*GROUND, "ringbook.engine.jit")
    return MAY_IMPORT["ground" if is_ground else room_of(path)]


def test_rooms_import_downward_only():
    """door → io → engine → engine.kernels → jit and the ground."""
    judge(
        "direction",
        (
            (path, line, f"{room_of(path)} imports {name}")
            for path in PACKAGE
            for line, name in imports_of(path)
            if below(name, ("ringbook",)) and not below(name, allowed_in(path))
        ),
    )


PURE = {
    "collections",
    "dataclasses",
    "decimal",
    "enum",
    "functools",
    "itertools",
    "json",
    "math",
    "random",
    "re",
}
PURE |= {"importlib", "types", "typing", "platform", "numpy", "numba", "llvmlite", "orjson"}
KNOWS_THE_WORLD = "engine/jit.py"  # finds sources and the cache folder; nothing else in engine may


def test_engine_is_pure():
    """No sockets, files, clock, randomness or environment: they are passed in."""
    found = []
    for path in ENGINE:
        if name_of(path) == KNOWS_THE_WORLD:
            continue
        found += [
            (path, line, f"imports {name}")
            for line, name in imports_of(path)
            if name.split(".")[0] not in {"ringbook", *PURE}
        ]
        for node in ast.walk(tree_of(path)):
            text = ast.unparse(node) if isinstance(node, ast.Call | ast.Attribute) else ""
            if text.startswith(("open(", "input(")) or (
                text.startswith("random.") and text != "random.Random"
            ):
                found.append((path, getattr(node, "lineno", 0), text))
    judge("pure-engine", found)


def test_layout_imports_only_numpy():
    names = {name.split(".")[0] for _, name in imports_of(ROOT / "engine" / "layout.py")}
    assert names <= {"numpy", "typing"}


def test_oracles_share_no_code_with_their_subject():
    """tests/model imports of the project only layout: codes and sizes, never logic."""
    judge(
        "oracle",
        (
            (path, line, f"an oracle imports {name}")
            for path in TESTS
            if path.parent.name == "model"
            for line, name in imports_of(path)
            if below(name, ("ringbook",)) and not below(name, ("ringbook.engine.layout",))
        ),
    )


def test_floats_stay_in_the_analysis_room():
    """No kernel of the data path knows a float, and nothing of the engine uses the room that does."""
    found = []
    for path in KERNELS:
        for node in ast.walk(tree_of(path)):
            is_number = isinstance(node, ast.Constant) and isinstance(node.value, float)
            text = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            if is_number or text.rpartition(".")[2] in ("f64", "f32", "float", "float64", "float32"):
                found.append((path, getattr(node, "lineno", 0), "a float in a kernel"))
    for path in ENGINE:
        if room_of(path) != "analysis":
            found += [
                (path, line, f"imports {name}")
                for line, name in imports_of(path)
                if below(name, ("ringbook.engine.analysis",))
            ]
    judge("no-float", found)


LLVM_ROOMS = {"engine/kernels/llvm.py"}


def test_one_room_speaks_llvm():
    """jit.py may ask llvmlite for its version; only llvm.py emits instructions."""
    judge(
        "one-llvm-room",
        (
            (path, line, f"imports {name}")
            for path in PACKAGE
            for line, name in imports_of(path)
            if below(name, ("llvmlite", "numba.extending", "numba.core.cgutils"))
            and name_of(path) not in LLVM_ROOMS
            and (name_of(path), name) != ("engine/jit.py", "llvmlite")
        ),
    )


# spin.py compiles the user's own handler; demo_reader.py is such a user.
NJIT_ROOMS = {"engine/jit.py", "io/spin.py", "io/demo_reader.py"}


def test_compile_policy_lives_in_one_place():
    found = []
    for path in PACKAGE:
        for node in ast.walk(tree_of(path)):
            name = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            if name in ("njit", "jit.njit", "numba.njit", "numba.jit") and name_of(path) not in NJIT_ROOMS:
                found.append((path, node.lineno, f"{name} instead of @kernel"))
    judge("one-compile-policy", found)


def test_engine_imports_itself_relatively():
    """Relative imports keep one identity of each module, and the cache digest follows them."""
    judge(
        "relative-imports",
        (
            (path, node.lineno, "an absolute import of ringbook")
            for path in ENGINE
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ImportFrom)
            and not node.level
            and (node.module or "").startswith("ringbook")
        ),
    )


def test_io_has_no_init_file():
    """With io/__init__.py, a type checker run from the root takes our io for the standard library's."""
    assert not (ROOT / "io" / "__init__.py").exists()
    assert (ROOT / "src/ringbook/io").is_symlink()
    assert (ROOT / "src/ringbook/engine").is_symlink()


def imported_modules() -> set[str]:
    """Every dotted name that any source imports, and its parents."""
    names = {name for path in SOURCES for _, name in imports_of(path)}
    return names | {name.rpartition(".")[0] for name in names}


def modules_named_in_text() -> set[str]:
    """Last parts of every string that could name a module, or end its name: some are imported by name."""
    texts = {
        node.value
        for path in PACKAGE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text.rpartition(".")[2] for text in texts if re.fullmatch(r"[\w.]+", text)}


def test_no_dead_files():
    """Each module of engine and io is imported by another file, or started by name."""
    used, named = imported_modules(), modules_named_in_text()
    judge(
        "dead-file",
        (
            (path, 1, "nobody imports this file")
            for path in (*ENGINE, *IO)
            if not {path.stem, "_" + path.stem.rpartition("_")[2]} & {"__init__", *named}
            if "ringbook." + name_of(path)[:-3].replace("/", ".") not in used
        ),
    )
