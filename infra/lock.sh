#!/usr/bin/env bash
# Writes requirements.lock from pyproject.toml: every version and hash, for all platforms.
# torch and its CUDA libraries are left out: the Makefile installs torch first, from the build that fits the machine.
set -euo pipefail
cd "$(dirname "$0")/.."
gpu=$(printf -- '--no-emit-package %s ' torch triton cuda-bindings cuda-pathfinder cuda-toolkit \
  nvidia-{cublas,cuda-cupti,cuda-nvrtc,cuda-runtime,cudnn-cu13,cufft,cufile,curand,cusolver,cusparse,cusparselt-cu13,nccl-cu13,nvjitlink,nvshmem-cu13,nvtx})
# shellcheck disable=SC2086
uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet \
  ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} $gpu --output-file requirements.lock
