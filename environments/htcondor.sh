#!/bin/sh
# Install HTCondor for tests: a package where the distribution has one. Debian 12 has none: there
# the one of Debian 13 goes into a folder of its own, with the C library it was built for.
set -eu

folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/spectrum-workflows/htcondor}
suite=trixie

if command -v condor_master >/dev/null || [ -x "$folder/usr/sbin/condor_master" ]; then
    echo "HTCondor is installed"
    exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "HTCondor is not installed: its tests are left out"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
if apt-cache policy condor | grep -q 'Candidate: [0-9]'; then
    echo "installing: condor"
    apt-get install --yes --quiet=2 --no-install-recommends condor >/dev/null
    exit 0
fi

echo "installing: condor of Debian's $suite into $folder"
apt-get install --yes --quiet=2 --no-install-recommends patchelf >/dev/null
own=$(mktemp -d)
trap 'rm -rf -- "$own"' EXIT
mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/root"
: >"$own/status"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" >"$own/sources.list"
apt_own() {
    apt-get --quiet=2 -o Dir::Etc::sourcelist="$own/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$own/lists" -o Dir::State::status="$own/status" \
        -o Dir::Cache="$own/cache" -o APT::Sandbox::User=root "$@"
}
apt_own update
apt_own install --yes --no-install-recommends --download-only condor >/dev/null
for package in "$own"/cache/archives/*.deb; do
    case ${package##*/} in
        condor_* | lib* | gcc*) dpkg-deb --extract "$package" "$own/root" ;;
    esac
done
libraries=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
unfinished=$folder/unfinished # what is interrupted must not pass for an installation
rm -rf -- "$unfinished" "$folder/usr"
mkdir -p "$unfinished"
cp -a "$own/root/usr" "$unfinished/"
for program in "$unfinished"/usr/bin/condor_* "$unfinished"/usr/sbin/condor_* \
    "$unfinished"/usr/libexec/condor/condor_*; do
    if [ ! -L "$program" ] && head -c 4 "$program" | grep -q ELF; then
        patchelf --set-interpreter "$folder/$libraries/ld-linux-x86-64.so.2" "$program" 2>/dev/null
        patchelf --force-rpath --set-rpath "$folder/$libraries:$folder/usr/lib" "$program"
    fi
done
mv -- "$unfinished/usr" "$folder/usr"
rmdir -- "$unfinished"
