#!/bin/sh
# Install this version, with exactly the versions of the lock, as one release of a software folder
# that many machines read, such as a CVMFS repository:
#
#   environments/release.sh FOLDER    # makes FOLDER/spectrum/VERSION/PLATFORM
#
# The release is a relocatable virtual environment: it may be moved, and mounted read-only.
# PYTHON is the interpreter it uses, which must be under that path on every machine.
set -eu

usage="usage: release.sh FOLDER"
case ${1:-} in
    "" | -*) echo "$usage" >&2; exit 2 ;;
esac
mkdir -p -- "$1"
root=$(cd -- "$1" && pwd)
cd "$(dirname "$0")/.."
make --no-print-directory .venv/bin/uv
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/spectrum_workflows/__init__.py)
platform=$(uname -m)-$(. /etc/os-release && v=${VERSION_ID:-} && echo "$ID${v%%.*}")
folder=$root/spectrum/$version/$platform

if [ -e "$folder" ]; then
    echo "release.sh: $folder is there; a release does not change: remove it, or raise the version" >&2
    exit 1
fi
uv() { .venv/bin/uv --no-config --quiet "$@"; }
unfinished=$root/spectrum/$version/.$platform.unfinished # what is interrupted passes for no release
rm -rf -- "$unfinished"
trap 'rm -rf -- "$unfinished"' EXIT
uv venv --relocatable --python "${PYTHON:-python3}" "$unfinished"
uv pip sync --python "$unfinished/bin/python" --link-mode copy --require-hashes \
    environments/requirements.lock
uv pip install --python "$unfinished/bin/python" --link-mode copy --no-deps --no-build-isolation .
rm -f "$unfinished"/lib/python*/site-packages/spectrum_workflows-*/direct_url.json # where it was built
sed -i '/direct_url\.json/d' "$unfinished"/lib/python*/site-packages/spectrum_workflows-*/RECORD
# Readers cannot write: what Python compiles is compiled now, and taken as it is.
"$unfinished/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$unfinished/lib" \
    >/dev/null || true # some packages ship files for other Pythons
touch "$unfinished/.cvmfscatalog" # a catalogue of its own in CVMFS
mv -- "$unfinished" "$folder"
echo "$folder"
