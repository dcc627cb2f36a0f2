#!/bin/sh
# Print the conda environment that holds exactly the versions of a lock file; used by `make lock`.
set -eu

lock=${1:?usage: conda_from_lock.sh LOCK}
cat <<'HEAD'
# Made by `make lock` from requirements.lock: the same versions, in a conda environment.
# Not built by the developers: no conda channel could be reached from where this was written.
#
#   conda env create --file environments/environment.yml
#   conda activate spectrum-workflows
#   pip install --no-deps --no-build-isolation --editable .
#
# Python comes from conda-forge and every library from pip, so that the numbers are those
# of the lock.  For hash checking leave the pip section out and, inside the environment:
#   pip install --require-hashes --requirement environments/requirements.lock
name: spectrum-workflows
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - pip
  - pip:
HEAD
sed -n 's/^\([a-zA-Z0-9].*[^ ]\) *\\$/      - \1/p' "$lock"
