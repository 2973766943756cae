#!/usr/bin/env bash
# Runs the tests of the CPU's kernels, and of models on them, as an Arm64 processor would, under QEMU's emulation: once as a
# processor with the instructions for dot products of bytes, and the tests of integers once as one without. For both, the kernels are
# compiled and looked through for calls.
# On Debian and for root, what is missing is installed, or unpacked into artifacts/arm64; elsewhere qemu-aarch64 has to be there, and
# ARM64_ROOT has to name a folder with the C and C++ libraries of an Arm64 Linux.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/artifacts/arm64
root=${ARM64_ROOT:-$work/root}
mkdir -p "$work"

# Every class that computes with vectors, and whole models of each weight format.
kernels=(IntegerSimdTests PackedPanelTests PackedProductTests GgufKernelTests Int16KernelTests)
others=(ActivationQuantizerTests BlockMatrixTests DeltaKernelTests MatMulKernelTests VectorKernelTests WorkerTeamTests TinyModelTests)

install_qemu() {
    if command -v qemu-aarch64 > /dev/null; then
        return
    fi

    if ! command -v apt-get > /dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "qemu-aarch64 is needed to emulate Arm64 and is not installed. Install it: apt-get install qemu-user" >&2
        exit 1
    fi

    apt-get update -qq > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends qemu-user > /dev/null
}

# Packages of the other architecture, in a folder of their own: nothing of this system changes.
unpack_libraries() {
    if [ -d "$root" ]; then
        return
    fi

    local apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
        -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt")
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/packages"
    touch "$work/apt/status"
    "${apt[@]}" update
    (
        cd "$work/packages"
        "${apt[@]}" download libc6 libgcc-s1 libstdc++6
        "${apt[@]}" download libssl3 2> /dev/null || "${apt[@]}" download libssl3t64
    )
    local package
    for package in "$work"/packages/*.deb; do
        dpkg-deb --extract "$package" "$root.partial"
    done
    mv "$root.partial" "$root"
}

# Globalization and the protection of compiled code need more of a system than is emulated here.
run_as() {
    local processor=$1 name filters=()
    shift
    for name in "$@"; do
        filters+=(-class "*.$name")
    done
    DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_EnableWriteXorExecute=0 \
        qemu-aarch64 -cpu "$processor" -L "$root" "$work/tests/KimiLinear.Tests" -noColor "${filters[@]}" > "$work/$processor.log" ||
        { grep -v '^ *$' "$work/$processor.log"; echo "FAILED: tests failed as $processor." >&2; exit 1; }
    grep -F 'Total:' "$work/$processor.log" | sed "s/^ */$processor: /"
}

# Kernels have to be compiled whole: see CheckInlining.cs.
check_inlining() {
    local processor=$1 listing=$work/$1.listing
    rm -f "$listing"
    DOTNET_TieredCompilation=0 DOTNET_JitStdOutFile=$listing DOTNET_JitDisasm='KimiLinear.*:*' \
        DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_EnableWriteXorExecute=0 \
        qemu-aarch64 -cpu "$processor" -L "$root" "$work/inlining/CheckInlining" compile "$work/tests/KimiLinear.dll"
    dotnet run .ci/CheckInlining.cs -- read "$work/tests/KimiLinear.dll" "$listing" "$processor"
    rm "$listing"
}

install_qemu
unpack_libraries
dotnet publish tests/KimiLinear.Tests -c Release -r linux-arm64 --self-contained -o "$work/tests" -v quiet
run_as neoverse-n1 "${kernels[@]}" "${others[@]}"
run_as cortex-a57 "${kernels[@]}"
dotnet publish .ci/CheckInlining.cs -c Release -r linux-arm64 --self-contained -o "$work/inlining" -v quiet
check_inlining neoverse-n1
check_inlining cortex-a57
