#!/usr/bin/env bash
# Prints the tables of README.md beside this file, and draws redeploy.svg anew. It takes four minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
cargo build --locked --release -p canstop-examples --examples
cargo bench --locked -p canstop-examples --bench argument
