#!/usr/bin/env bash
# Compiles the CUDA kernels by clang; no CUDA toolkit is needed.
#   scripts/compile-kernels.sh             writes the PTX that is checked in and embedded in the library
#   scripts/compile-kernels.sh --check     compiles again and fails where what is checked in differs
#   scripts/compile-kernels.sh --host FILE compiles the same sources for this processor, into a library for the tests
set -euo pipefail
cd "$(dirname "$0")/.."
kernels=src/KimiLinear/Backends/Cuda/Kernels
emulation=tests/KimiLinear.Kernels.Tests/Emulation

# One version, so that the output is the same everywhere.
clang=clang-19

# PTX 7.5 is understood by drivers from CUDA 11.5 on; sm_90a needs PTX 8.0, which those from CUDA 12.0 on understand.
targets=("sm_80 ptx75" "sm_90a ptx80")

# Sums and products are joined only where the source says so: then the processor computes what the GPU computes.
options=(-std=c++20 -O3 -ffp-contract=off -fno-verbose-asm -Wall -Wextra -Werror)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find_clang() {
    if command -v "$clang" > /dev/null; then
        return
    fi

    if ! command -v apt-get > /dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "$clang is needed to compile the CUDA kernels and is not installed. Install it: apt-get install clang-19" >&2
        exit 1
    fi

    apt-get update -qq > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$clang" > /dev/null
}

# Writes <folder>/<name>.<arch>.ptx for every kernel.
compile_ptx() {
    local folder=$1 source target
    for source in "$kernels"/*.cu; do
        for target in "${targets[@]}"; do
            read -r arch version <<< "$target"
            "$clang" -x cuda --cuda-device-only --cuda-gpu-arch="$arch" -Xclang -target-feature -Xclang "+$version" \
                -nocudainc -nocudalib -nostdinc "${options[@]}" -S "$source" -o "$folder/$(basename "$source" .cu).$arch.ptx"
        done
    done
}

check_ptx() {
    mkdir "$work/ptx"
    compile_ptx "$work/ptx"
    if ! diff -rq "$kernels/ptx" "$work/ptx" > "$work/difference"; then
        echo "The PTX checked in is not what its sources compile to; run scripts/compile-kernels.sh:" >&2
        sed "s|$work/ptx/[^ ]*|its recompilation|g; s|$work/ptx|the recompiled folder|g; s|^|FAILED: |" "$work/difference" >&2
        exit 1
    fi

    echo "$(find "$kernels/ptx" -name '*.ptx' | wc -l) files of PTX are what their sources compile to."
}

compile_host() {
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        echo "The emulation of the CUDA kernels runs on Linux on x86-64 processors only." >&2
        exit 1
    fi

    local output=$1 source
    mkdir -p "$(dirname "$output")"
    for source in "$kernels"/*.cu "$emulation"/*.cpp; do
        "$clang" -x c++ -march=x86-64-v3 -fPIC -fno-exceptions -fno-rtti -ffreestanding -nostdinc \
            -I "$kernels" -I "$emulation" "${options[@]}" -c "$source" -o "$work/$(basename "$source").o"
    done

    "$clang" -shared -nostdlib "$work"/*.o -o "$output"
}

case "${1:-}" in
    "")
        find_clang
        rm -rf "$kernels/ptx"
        mkdir -p "$kernels/ptx"
        compile_ptx "$kernels/ptx"
        ;;
    --check)
        find_clang
        check_ptx
        ;;
    --host)
        find_clang
        compile_host "${2:?--host needs the file to write.}"
        ;;
    *)
        echo "Unknown option '$1'; known are --check and --host FILE." >&2
        exit 2
        ;;
esac
