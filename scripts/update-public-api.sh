#!/usr/bin/env bash
# Rewrites PublicAPI.Unshipped.txt of both libraries from what the code declares now.
# Read the resulting diff: it is the change of the public surface.
set -euo pipefail
cd "$(dirname "$0")/.."
for project in KimiLinear KimiLinear.Extensions.AI; do
    list="src/$project/PublicAPI.Unshipped.txt"
    printf '#nullable enable\n' > "$list"
    log=$(dotnet build "src/$project" --no-incremental -v q 2>&1 || true)
    symbols=$(grep -oP "(?<=error RS0016: Symbol ').*(?=' is not part of the declared public API)" <<< "$log" | LC_ALL=C sort -u || true)
    if [ -n "$symbols" ]; then
        printf '%s\n' "$symbols" >> "$list"
    fi
    echo "$list: $(grep -vc '^#' "$list" || true) members"
done
