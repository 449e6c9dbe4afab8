#!/bin/sh
# The steps that make the container image, one subcommand each. Dockerfile runs them in its build stage;
# continuous integration, which needs no container engine, runs the same ones with `all` in a folder of its own.
set -eu

usage="usage: image-steps.sh wheel SOURCES WHEELS | install WHEELS PREFIX | trim PREFIX
                      | warm PREFIX CACHE | check PREFIX CACHE | all"

# Build the wheel from a copy, so that nothing left in the tree by an earlier build can slip into it.
wheel() {
    sources=$1 wheels=$2
    copy=$(mktemp -d)
    for name in pyproject.toml README.md LICENSE src engine io; do
        cp -R -P "$sources/$name" "$copy/$name"
    done
    find "$copy" -name '*.egg-info' -prune -exec rm -rf {} +
    python3 -m venv "$copy/builder"
    "$copy/builder/bin/python" -m pip --disable-pip-version-check --no-cache-dir \
        wheel --quiet --no-deps --wheel-dir "$wheels" "$copy"
    rm -rf "$copy"
}

# Install it with the optional parts that a server uses.
install() {
    wheels=$1 prefix=$2
    python3 -m venv "$prefix"
    "$prefix/bin/python" -m pip --disable-pip-version-check --no-cache-dir install --quiet \
        "$(ls "$wheels"/ringbook-*.whl)[tui,fast]"
}

# Leave out what never runs: pip, and the test suites of the numeric packages.
trim() {
    prefix=$1
    "$prefix/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes pip setuptools 2>/dev/null ||
        "$prefix/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes pip
    for package in numba numpy llvmlite; do
        find "$prefix"/lib/python3*/site-packages/"$package" -name tests -type d -prune -exec rm -rf {} +
    done
    find "$prefix" -name __pycache__ -type d -prune -exec rm -rf {} +
}

# Compile every kernel for this processor; another one compiles again, with progress, into the same folder.
warm() {
    prefix=$1 cache=$2
    RINGBOOK_CACHE_DIR=$cache "$prefix/bin/ringbook" warm
    chmod -R a+rX "$prefix" "$cache"
}

# The image must start, load every kernel from the cache, and hold engine and io as real files.
check() {
    prefix=$1 cache=$2
    RINGBOOK_CACHE_DIR=$cache "$prefix/bin/ringbook" --version
    for room in engine io; do
        folder=$(echo "$prefix"/lib/python3*/site-packages/ringbook/$room)
        if [ ! -d "$folder" ] || [ -L "$folder" ]; then
            echo "$folder: expected a real folder in the wheel, not a link or nothing" >&2
            exit 1
        fi
        find "$folder" -name '*.py' | wc -l | sed "s|^ *|files in $room: |"
    done
    compiled=$(find "$cache" -name '*.nbc' | wc -l)
    RINGBOOK_CACHE_DIR=$cache "$prefix/bin/ringbook" warm >/dev/null
    again=$(find "$cache" -name '*.nbc' | wc -l)
    if [ "$compiled" -eq 0 ] || [ "$compiled" -ne "$again" ]; then
        echo "kernels in the cache: $compiled after warming, $again after a second start, expected the same" >&2
        exit 1
    fi
    echo "kernels in the cache: $compiled"
    du -sh "$prefix" "$cache"
}

all() {
    sources=$(cd "$(dirname "$0")/.." && pwd)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    wheel "$sources" "$folder/wheels"
    install "$folder/wheels" "$folder/ringbook"
    trim "$folder/ringbook"
    warm "$folder/ringbook" "$folder/cache"
    check "$folder/ringbook" "$folder/cache"
}

case ${1:-} in
    wheel | install | trim | warm | check | all) step=$1; shift; "$step" "$@" ;;
    *) echo "$usage" >&2; exit 2 ;;
esac
