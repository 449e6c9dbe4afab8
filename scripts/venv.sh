#!/bin/sh
# Make a virtual environment: venv.sh DIRECTORY [PYTHON]
# Takes PYTHON, else python3 if it is new enough, else the newest python3.x found; says plainly what is missing.
set -eu
directory=$1
wanted=${2:-}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

chosen=
for python in ${wanted:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$python" >/dev/null 2>&1 && new_enough "$python"; then
        chosen=$python
        break
    fi
done
if [ -z "$chosen" ]; then
    found=$("${wanted:-python3}" --version 2>/dev/null || echo "no ${wanted:-python3}")
    echo "ringbook: found $found, expected Python 3.11 or later." >&2
    echo "  Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! "$chosen" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "ringbook: $("$chosen" --version) has no venv module with pip, which a virtual environment needs." >&2
    echo "  Debian, Ubuntu: apt-get install python3-venv   (Fedora and others ship it with python3)" >&2
    exit 1
fi
echo "making $directory with $("$chosen" --version)"
"$chosen" -m venv "$directory"
