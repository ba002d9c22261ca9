#!/usr/bin/env bash
# Writes go.jsonl and node.jsonl anew: what the libraries themselves write.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
(cd go && go run . >../go.jsonl)
(cd node && npm ci && node record.js >../node.jsonl)
