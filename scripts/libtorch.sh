#!/usr/bin/env bash
# Makes libtorch available and prints where it is (the folder for LIBTORCH; nothing with LIBTORCH_USE_PYTORCH).
#
#   LIBTORCH or LIBTORCH_USE_PYTORCH set: only checks the version.
#   else: installs the PyPI wheel into .libtorch/site of this checkout, once. Without a GPU only what the processor
#   needs (1.3 GB); with an NVIDIA device, or with CUDA=1, everything (4.6 GB).
set -euo pipefail

wanted=2.11.0
root=$(cd "$(dirname "$0")/.." && pwd)
site=$root/.libtorch/site

fail() {
    echo "error: $1" >&2
    echo "hint: pipeline is built with tch 0.24, which wants libtorch $wanted; unset LIBTORCH and LIBTORCH_USE_PYTORCH" >&2
    echo "      to have 'make' get it from PyPI, or point LIBTORCH at the folder of that version" >&2
    exit 1
}

check() { # version, where
    case "$1" in
        "$wanted" | "$wanted"+*) ;;
        "") fail "no version of libtorch can be read in $2" ;;
        *) fail "found libtorch $1 in $2" ;;
    esac
}

version_in() { # a libtorch folder: of the wheel, or of the zip
    if [ -f "$1/version.py" ]; then
        sed -n "s/^__version__ = '\(.*\)'/\1/p" "$1/version.py"
    elif [ -f "$1/build-version" ]; then
        cat "$1/build-version"
    fi
}

if [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then
    check "$(python3 -c 'import torch; print(torch.__version__)' 2>/dev/null || true)" "the torch of python3"
    exit 0
fi
if [ -n "${LIBTORCH:-}" ] && [ "$LIBTORCH" != "$site/torch" ]; then
    check "$(version_in "$LIBTORCH")" "LIBTORCH=$LIBTORCH"
    echo "$LIBTORCH"
    exit 0
fi

parts=cpu
if [ "${CUDA:-}" = 1 ] || [ -e /dev/nvidiactl ]; then parts=cuda; fi
if [ "$(cat "$site/.parts" 2>/dev/null)" != "$parts" ] && [ "$(cat "$site/.parts" 2>/dev/null)" != cuda ]; then
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed to get libtorch"
    if [ $parts = cuda ]; then size="4.6 GB"; else size="1.3 GB"; fi
    echo "getting libtorch $wanted ($parts, $size on disk) from PyPI, once ..." >&2
    new=$root/.libtorch/new
    rm -rf "$new"
    if [ $parts = cuda ]; then
        python3 -m pip install --quiet --no-warn-script-location --root-user-action=ignore --target "$new" "torch==$wanted" >&2
    else
        # libtorch_cpu.so of this wheel needs these two CUDA libraries even where nothing computes on a GPU.
        python3 -m pip install --quiet --no-warn-script-location --root-user-action=ignore --no-deps --target "$new" \
            "torch==$wanted" 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*' >&2
    fi
    echo $parts >"$new/.parts"
    rm -rf "$site"
    mv "$new" "$site"
fi
check "$(version_in "$site/torch")" "$site/torch"
echo "$site/torch"
