#!/bin/sh
# Build the container image with the builder that is named, or the first of them that is here:
#
#   environments/build_image.sh [podman|buildah|docker|apptainer] [OPTIONS OF THE BUILDER...]
#
# podman, buildah and docker make spectrum-workflows:VERSION, and :latest, from the Containerfile;
# Apptainer writes spectrum-workflows.sif from apptainer.def.
set -eu

cd "$(dirname "$0")/.."
case ${1:-} in
    podman | buildah | docker | apptainer)
        builder=$1
        shift
        command -v "$builder" >/dev/null || {
            echo "build_image.sh: $builder not found; install it, or name another builder" >&2
            exit 1
        }
        ;;
    -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    "" | -*)
        builder=""
        for name in podman buildah docker apptainer; do
            if command -v "$name" >/dev/null; then
                builder=$name
                break
            fi
        done
        [ -n "$builder" ] || {
            echo "build_image.sh: no podman, buildah, docker or apptainer here; install one of them" >&2
            exit 1
        }
        ;;
    *)
        echo "build_image.sh: no builder '$1'; podman, buildah, docker or apptainer" >&2
        exit 2
        ;;
esac

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/spectrum_workflows/__init__.py)
name=spectrum-workflows
case $builder in
    apptainer) apptainer build "$@" "$name.sif" environments/apptainer.def ;;
    *) "$builder" build "$@" --file environments/Containerfile --tag "$name:$version" --tag "$name:latest" . ;;
esac
echo "built with $builder: $name $version"
