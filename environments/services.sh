#!/bin/sh
# Install the packages of a list with apt as root on Debian or Ubuntu; elsewhere print the list.
set -eu

list=${1:?usage: services.sh LIST}
packages=$(sed 's/#.*//' "$list" | xargs)

echo "system programs for tests and benchmarks:"
sed -n 's/^\([^#[:space:]][^#]*[^#[:space:]]\)[[:space:]]*#[[:space:]]*/  \1: /p' "$list"

if ! command -v apt-get >/dev/null; then
    echo "no apt-get here: install them with this system's own package manager"
    exit 0
fi
missing=""
for package in $packages; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
        missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "all of them are installed"
elif [ "$(id -u)" -ne 0 ]; then
    echo "not root: ask for 'apt-get install --yes --no-install-recommends$missing'"
else
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    # shellcheck disable=SC2086  # one word per package is meant
    apt-get install --yes --quiet=2 --no-install-recommends $missing >/dev/null
fi
