#!/bin/sh
# The steps that make the container image, one subcommand each. Dockerfile runs them in its build stage;
# continuous integration, which needs no container engine, runs the same ones with `all` in a folder of its own.
# Its functions share one set of variables, as plain sh has no others.
set -eu

usage="usage: image-steps.sh wheel SOURCES WHEELS | install WHEELS PREFIX | trim PREFIX
                      | warm PREFIX CACHE | check PREFIX CACHE | unprivileged PREFIX CACHE | all"

# Build the wheel from a copy, so that nothing left in the tree by an earlier build can slip into it.
wheel() {
    sources=$1 wheels=$2
    copy=$(mktemp -d)
    for name in pyproject.toml README.md LICENSE src engine io; do
        cp -R -P "$sources/$name" "$copy/$name"
    done
    find "$copy" -name '*.egg-info' -prune -exec rm -rf {} +
    "${PYTHON:-python3}" -m venv "$copy/builder"
    "$copy/builder/bin/python" -m pip --disable-pip-version-check --no-cache-dir \
        wheel --quiet --no-deps --wheel-dir "$wheels" "$copy"
    rm -rf "$copy"
}

# Install it with the optional parts that a server uses.
install() {
    wheels=$1 prefix=$2
    "${PYTHON:-python3}" -m venv "$prefix"
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

# As the user of the image, with nothing writable but the cache and shared memory. Only root can try it.
unprivileged() {
    prefix=$1 cache=$2
    as_nobody="setpriv --reuid 10001 --regid 10001 --clear-groups env -i PATH=$prefix/bin:/usr/bin:/bin"
    as_nobody="$as_nobody HOME=/nonexistent RINGBOOK_CACHE_DIR=$cache"
    if [ "$(id -u)" -ne 0 ] || ! $as_nobody python -c '' 2>/dev/null; then
        echo "not root, or another user may not run this Python: the unprivileged start was not tried"
        return
    fi
    chown -R 10001:10001 "$cache"
    said=$($as_nobody ringbook warm 2>&1)
    case $said in
        *compiled* | *WARNING*)
            echo "an unprivileged start said: $said; expected every kernel from the cache" >&2
            exit 1
            ;;
    esac
    if $as_nobody ringbook health --alive; then
        echo "health was good without a bus, expected exit code 1" >&2
        exit 1
    fi
    echo "unprivileged start: every kernel from the cache"
}

all() {
    sources=$(cd "$(dirname "$0")/.." && pwd)
    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    trap 'rm -rf "$scratch"' EXIT
    wheel "$sources" "$scratch/wheels"
    install "$scratch/wheels" "$scratch/ringbook"
    trim "$scratch/ringbook"
    warm "$scratch/ringbook" "$scratch/cache"
    check "$scratch/ringbook" "$scratch/cache"
    unprivileged "$scratch/ringbook" "$scratch/cache"
}

case ${1:-} in
    wheel | install | trim | warm | check | unprivileged | all) step=$1; shift; "$step" "$@" ;;
    *) echo "$usage" >&2; exit 2 ;;
esac
