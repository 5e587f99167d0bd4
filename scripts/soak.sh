#!/usr/bin/env bash
# The long form of every endurance test; `make test` runs a tenth of it. One line of figures each, summed up at the end.
# About two hours on two cores; ROUNDS, KILLS and SEED change the trainings' part, TRAININGS=0 leaves it out (15 minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
summary=$(mktemp)
trap 'rm -f "$summary"' EXIT

note() { grep -oE '(figures: .*|test result: .*|^[0-9]+ (rounds|passed).*|^skipped: .*)' | tee -a "$summary"; }
kill_test() { cargo test --release --workspace --test kill | note; }

# Whole runs of commands: killed, eight at once, a full disk, flipped bits. Then the cache alone, the same and its clocks.
PIPELINE_SOAK=1 cargo test --release --workspace --test cli soak -- --nocapture --test-threads 1 | note
PIPELINE_SOAK=1 cargo test --release --workspace --test store soak -- --test-threads 1 | note
# Images, mask files and run lengths that were changed at random, side by side.
PIPELINE_FUZZ_SECONDS=${FUZZ:-1800} cargo test --release -p pixels --test pixels fuzz:: -- --nocapture | note
# Pipeline files, `--set`, jobs, what a worker says, manifests, and files of a cache: each target for a quarter of that.
PIPELINE_FUZZ_SECONDS=$((${FUZZ:-1800} / 4)) cargo test --release -p spec --test fuzz -- --nocapture | note
PIPELINE_FUZZ_SECONDS=$((${FUZZ:-1800} / 4)) cargo test --release -p pipeline --test cli mutated_ -- --nocapture | note
PIPELINE_FUZZ_SECONDS=$((${FUZZ:-1800} / 4)) cargo test --release -p store --lib fuzz:: -- --nocapture | note
# Checkpoints of every container, and pickles within them.
PIPELINE_FUZZ_SECONDS=${FUZZ:-1800} cargo test --release -p pth --test pth fuzz:: -- --nocapture | note
# Files of the safetensors format.
PIPELINE_FUZZ_SECONDS=$((${FUZZ:-1800} / 4)) cargo test --release -p pipeline-worker --test fuzz -- --nocapture | note
if [ "${TRAININGS:-1}" != 0 ]; then
    PIPELINE_KILL_ROUNDS=${ROUNDS:-100} PIPELINE_KILLS=4 PIPELINE_KILL_SEED=${SEED:-7} kill_test
    PIPELINE_KILL_ROUNDS=1 PIPELINE_KILLS=${KILLS:-20} PIPELINE_KILL_SEED=${SEED:-7} \
        PIPELINE_KILL_FILE=pipelines/quickstart.yaml kill_test
fi

echo
echo "summary"
sed 's/^/  /' "$summary"
