#!/usr/bin/env bash
# Parity tests, a whole pipeline and the benchmarks on one NVIDIA GPU; a short table last.
#
#   scripts/cuda.sh              builds here, on the machine with the GPU, and runs
#   scripts/cuda.sh pack FOLDER  builds and puts the programs, stripped, into FOLDER, for a machine without Rust
#   scripts/cuda.sh run FOLDER   runs them: needs python3 with torch 2.11 for CUDA, numpy, Pillow, safetensors
#
# ART and SAM name checkouts of gladzhang/ART and facebookresearch/segment-anything; what lacks its checkout is left out
# by name. Figures on a card that others use, or without its name and date, are worth nothing: both are printed.
set -euo pipefail
cd "$(dirname "$0")/.."

# The path of the binary that cargo makes of one target: it names those of other targets too.
binary() { # target, cargo's words
    local target=$1
    shift
    cargo "$@" --no-run --message-format json | grep "\"name\":\"$target\"" \
        | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

build() { # folder
    mkdir -p "$1"
    LIBTORCH=$(scripts/libtorch.sh)
    [ -z "$LIBTORCH" ] || export LIBTORCH
    cargo build --release --workspace
    cp target/release/pipeline target/release/pipeline-worker "$1"
    cp "$(binary parity test --release --workspace --test parity)" "$1/parity"
    cp "$(binary step bench -p pipeline-worker --bench step)" "$1/step"
    cp "$(binary sam bench -p pipeline-worker --bench sam)" "$1/sam"
    (cd "$1" && strip pipeline pipeline-worker parity step sam)
}

# What a program prints goes on; its rows are kept for the table. A program that fails is named in the table.
rows=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$rows" "$work"' EXIT
part() { # name, command...
    local name=$1
    shift
    echo "== $name"
    if "$@" 2>&1 | tee "$work/out"; then
        sed -n 's/^row: //p' "$work/out" >> "$rows"
    else
        echo "$name | FAILED | | |" >> "$rows"
    fi
}
left_out() { echo "$1 | left out: $2 is not set | | |" >> "$rows"; }

parity() { # folder; one line says how many cases passed
    local folder failed=0
    for folder in golden golden_sam golden_dncnn; do
        # Kernels are the processor's: with a choice named it is not run a second time with the others.
        PIPELINE_KERNELS=gemm PIPELINE_PARITY_DIR=$PWD/tests/$folder PIPELINE_PARITY_DEVICE=cuda "$1/parity" \
            | tee "$work/parity" || failed=1
        echo "row: tests/$folder on CUDA | $(sed -n 's/^parity: //p' "$work/parity") | official code | |"
    done
    return "$failed"
}

# `if` switches `set -e` off, so each command says what its failure means.
whole() { # folder
    rm -rf "$work/pipelines"
    cp -r pipelines "$work/pipelines" || return 1
    "$1/pipeline" doctor --root "$work" || true
    "$1/pipeline" run "$work/pipelines/small/quickstart.yaml" --device cuda || return 1
    "$1/pipeline" run "$work/pipelines/small/quickstart.yaml" --device cuda 2>&1 | tee "$work/again" || return 1
    grep -q '^0 ran, .* 0 failed' "$work/again" || return 1
    echo "row: reduced quickstart, run twice | $(grep '^0 ran' "$work/again") | | |"
    "$1/pipeline" run "$work/pipelines/small/quickstart.yaml" --device cuda \
        --set stages.spt.tune.precision=tf32 2>&1 | tee "$work/tf32" || return 1
    echo "row: the same with one training in TF32 | $(grep ' ran, ' "$work/tf32") | | |"
}

run() { # folder
    local bin
    bin=$(cd "$1" && pwd)
    LD_LIBRARY_PATH=$(python3 -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "lib"))'):${LD_LIBRARY_PATH:-}
    export LD_LIBRARY_PATH NVIDIA_TF32_OVERRIDE=0 PYTHONUNBUFFERED=1
    part "parity on CUDA" parity "$bin"
    part "reduced quickstart" whole "$bin"
    part "IMDN step" python3 benches/step_pytorch.py --device cuda --batch 4 --compile --runs 30 --rust "$bin/step"
    if [ -n "${ART:-}" ]; then
        part "ART step" python3 benches/step_pytorch.py --backbone art --art "$ART" --device cuda --batch 4 --compile \
            --runs 30 --rust "$bin/step"
        part "ART step, bf16" python3 benches/step_pytorch.py --backbone art --art "$ART" --device cuda --batch 4 \
            --compile --bf16 --runs 30 --rust "$bin/step"
        part "ART step, TF32" python3 benches/step_pytorch.py --backbone art --art "$ART" --device cuda --batch 4 \
            --tf32 --runs 30 --rust "$bin/step"
    else
        left_out "ART step" ART
    fi
    if [ -n "${SAM:-}" ]; then
        part "SAM ViT-H" python3 benches/sam_cuda.py "$SAM" --rust "$bin/sam"
        part "SAM ViT-H, TF32" python3 benches/sam_cuda.py "$SAM" --precision tf32 --runs 3 --rust "$bin/sam"
    else
        left_out "SAM ViT-H" SAM
    fi
    echo
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || echo "no NVIDIA driver here"
    date -u +%Y-%m-%d
    { echo "what | ours | theirs | ratio | bar"; cat "$rows"; } > "$work/table"
    column -t -s '|' "$work/table" 2> /dev/null || cat "$work/table"
    ! grep -q FAILED "$rows"
}

case "${1:-}" in
    pack) build "${2:?a folder is missing}" ;;
    run) run "${2:?a folder is missing}" ;;
    "") build target/cuda && run target/cuda ;;
    *) sed -n 's/^# \{0,1\}//p' "$0" | head -n 9 >&2; exit 2 ;;
esac
