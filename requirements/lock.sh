#!/usr/bin/env bash
# Compiles every NAME.in to a hash-pinned NAME.txt without index addresses. dev holds all of the
# others, so it is resolved first and constrains them: one version of a package everywhere.
set -euo pipefail
cd "$(dirname "$0")"
compile() {
  uv pip compile "$1.in" --override overrides.txt --generate-hashes --no-emit-index-url --no-header \
    --python-version 3.11 --quiet -o "$1.txt" "${@:2}"
}
compile dev
for name in gateway operator worker engine training local torch build compile; do compile "$name" -c dev.txt; done
# The CUDA variants take what the overrides leave out, and vLLM's CUDA build other versions than its
# CPU build; only images install them, on top of torch.txt.
for name in engine-gpu training-gpu; do
  uv pip compile "$name.in" --generate-hashes --no-emit-index-url --no-header --quiet \
    --python-version 3.11 --python-platform x86_64-manylinux_2_36 -o "$name.txt"
done
# The peers of the benchmark live in an environment of their own.
compile bench
