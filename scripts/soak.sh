#!/usr/bin/env bash
# The long form of the kill tests: 100 rounds on the reduced quickstart, then one run of the quickstart killed 20 times.
# About an hour and a half on two cores. Prints one line of figures each; see tests/kill/main.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

kill_test() { cargo test --release -p pipeline --test kill; }

PIPELINE_KILL_ROUNDS=${ROUNDS:-100} PIPELINE_KILLS=4 PIPELINE_KILL_SEED=${SEED:-7} kill_test
PIPELINE_KILL_ROUNDS=1 PIPELINE_KILLS=${KILLS:-20} PIPELINE_KILL_SEED=${SEED:-7} \
    PIPELINE_KILL_FILE=pipelines/quickstart.yaml kill_test
