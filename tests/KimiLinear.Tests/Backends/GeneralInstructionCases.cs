using KimiLinear.Backends;
using static KimiLinear.Backends.MachineRegister;

namespace KimiLinear.Tests.Backends;

/// <summary>Instructions on general registers, and the bytes that GNU as makes of them.</summary>
internal static class GeneralInstructionCases
{
    // Additions of what fits one byte, or to rax, have shorter forms; these were read back with objdump.
    public static readonly MachineCodeCase[] All =
    [
        new("{load} mov rax, rdi", "488BC7", code => code.Move(Rax, Rdi)),
        new("{load} mov rax, rcx", "488BC1", code => code.Move(Rax, Rcx)),
        new("{load} mov r8, rbx", "4C8BC3", code => code.Move(R8, Rbx)),
        new("{load} mov rsi, r15", "498BF7", code => code.Move(Rsi, R15)),
        new("{load} mov r12, r13", "4D8BE5", code => code.Move(R12, R13)),
        new("{load} mov r13, r12", "4D8BEC", code => code.Move(R13, R12)),
        new("{disp8} mov rax, [rbx]", "488B4300", code => code.Load(Rax, At(Rbx))),
        new("{disp8} mov [rax], rbx", "48895800", code => code.Store(At(Rax), Rbx)),
        new("{disp8} mov rcx, [rsi+8]", "488B4E08", code => code.Load(Rcx, At(Rsi, 8))),
        new("{disp8} mov [rcx-8], rsi", "488971F8", code => code.Store(At(Rcx, -8), Rsi)),
        new("{disp8} mov rdx, [rdi+127]", "488B577F", code => code.Load(Rdx, At(Rdi, 127))),
        new("{disp8} mov [rdx-127], rdi", "48897A81", code => code.Store(At(Rdx, -127), Rdi)),
        new("{disp8} mov rbx, [r8-128]", "498B5880", code => code.Load(Rbx, At(R8, -128))),
        new("{disp32} mov [rbx+128], r8", "4C898380000000", code => code.Store(At(Rbx, 128), R8)),
        new("{disp32} mov rsi, [r9+128]", "498BB180000000", code => code.Load(Rsi, At(R9, 128))),
        new("{disp8} mov [rsi-128], r9", "4C894E80", code => code.Store(At(Rsi, -128), R9)),
        new("{disp32} mov rdi, [r10-129]", "498BBA7FFFFFFF", code => code.Load(Rdi, At(R10, -129))),
        new("{disp32} mov [rdi+129], r10", "4C899781000000", code => code.Store(At(Rdi, 129), R10)),
        new("{disp32} mov r8, [r11+100000]", "4D8B83A0860100", code => code.Load(R8, At(R11, 100000))),
        new("{disp32} mov [r8-100000], r11", "4D89986079FEFF", code => code.Store(At(R8, -100000), R11)),
        new("{disp8} mov r9, [r12]", "4D8B4C2400", code => code.Load(R9, At(R12))),
        new("{disp8} mov [r9], r12", "4D896100", code => code.Store(At(R9), R12)),
        new("{disp8} mov r10, [r13+8]", "4D8B5508", code => code.Load(R10, At(R13, 8))),
        new("{disp8} mov [r10-8], r13", "4D896AF8", code => code.Store(At(R10, -8), R13)),
        new("{disp8} mov r11, [r14+127]", "4D8B5E7F", code => code.Load(R11, At(R14, 127))),
        new("{disp8} mov [r11-127], r14", "4D897381", code => code.Store(At(R11, -127), R14)),
        new("{disp8} mov r12, [r15-128]", "4D8B6780", code => code.Load(R12, At(R15, -128))),
        new("{disp32} mov [r12+128], r15", "4D89BC2480000000", code => code.Store(At(R12, 128), R15)),
        new("{disp32} mov r13, [rax+128]", "4C8BA880000000", code => code.Load(R13, At(Rax, 128))),
        new("{disp8} mov [r13-128], rax", "49894580", code => code.Store(At(R13, -128), Rax)),
        new("{disp32} mov r14, [rcx-129]", "4C8BB17FFFFFFF", code => code.Load(R14, At(Rcx, -129))),
        new("{disp32} mov [r14+129], rcx", "49898E81000000", code => code.Store(At(R14, 129), Rcx)),
        new("{disp32} mov r15, [rdx+100000]", "4C8BBAA0860100", code => code.Load(R15, At(Rdx, 100000))),
        new("{disp32} mov [r15-100000], rdx", "4989976079FEFF", code => code.Store(At(R15, -100000), Rdx)),
        new("mov rax, [r12+r11-8]", "4B8B441CF8", code => code.Load(Rax, At(R12, -8, R11))),
        new("mov [r12+r11+512], rax", "4B89841C00020000", code => code.Store(At(R12, 512, R11), Rax)),
        new("mov r9, [rcx+r13-8]", "4E8B4C29F8", code => code.Load(R9, At(Rcx, -8, R13))),
        new("mov [rcx+r13+512], r9", "4E898C2900020000", code => code.Store(At(Rcx, 512, R13), R9)),
        new("mov r10, [r13+rbx-8]", "4D8B541DF8", code => code.Load(R10, At(R13, -8, Rbx))),
        new("mov [r13+rbx+512], r10", "4D89941D00020000", code => code.Store(At(R13, 512, Rbx), R10)),
        new("mov rbx, [r14+r12-8]", "4B8B5C26F8", code => code.Load(Rbx, At(R14, -8, R12))),
        new("mov [r14+r12+512], rbx", "4B899C2600020000", code => code.Store(At(R14, 512, R12), Rbx)),
        new("{load} xor rax, rax", "4833C0", code => code.Clear(Rax)),
        new("{load} xor rdi, rdi", "4833FF", code => code.Clear(Rdi)),
        new("{load} xor r8, r8", "4D33C0", code => code.Clear(R8)),
        new("{load} xor r11, r11", "4D33DB", code => code.Clear(R11)),
        new("{load} xor r15, r15", "4D33FF", code => code.Clear(R15)),
        new("add rcx, 1088", "4881C140040000", code => code.Add(Rcx, 1088)),
        new("add rbx, -56", "4881C3C8FFFFFF", code => code.Add(Rbx, -56)),
        new("add rax, 4", "4881C004000000", code => code.Add(Rax, 4)),
        new("add rax, -1000", "4881C018FCFFFF", code => code.Add(Rax, -1000)),
        new("add r8, 2147483647", "4981C0FFFFFF7F", code => code.Add(R8, 2147483647)),
        new("add r13, -2147483648", "4981C500000080", code => code.Add(R13, -2147483648)),
        new("add r12, 4", "4981C404000000", code => code.Add(R12, 4)),
        new("{disp8} add rcx, [rax+8]", "48034808", code => code.Add(Rcx, At(Rax, 8))),
        new("{disp32} add r15, [r12+128]", "4D03BC2480000000", code => code.Add(R15, At(R12, 128))),
    ];

    public static readonly MachineCodeCase[] Ends =
    [
        new("vzeroupper", "C5F877", code => code.ClearUpperHalves()),
        new("ret", "C3", code => code.Return()),
    ];

    // The prefix says nothing where all registers are among the first eight, but is written.
    public static readonly MachineCodeCase[] Prefetches =
    [
        new("{rex} {disp8} prefetchnta [rcx]", "400F184100", code => code.Prefetch(PrefetchKind.Once, At(Rcx))),
        new("{rex} {disp8} prefetchnta [rsi-128]", "400F184680", code => code.Prefetch(PrefetchKind.Once, At(Rsi, -128))),
        new("{disp8} prefetchnta [r12+127]", "410F1844247F", code => code.Prefetch(PrefetchKind.Once, At(R12, 127))),
        new("{disp32} prefetchnta [r13+128]", "410F188580000000", code => code.Prefetch(PrefetchKind.Once, At(R13, 128))),
        new("{disp32} prefetchnta [r8+12288]", "410F188000300000", code => code.Prefetch(PrefetchKind.Once, At(R8, 12288))),
        new(
            "{rex} {disp32} prefetcht0 [rcx+4096]", "400F188900100000",
            code => code.Prefetch(PrefetchKind.FirstLevel, At(Rcx, 4096))),
        new(
            "{rex} {disp32} prefetcht1 [rcx+4096]", "400F189100100000",
            code => code.Prefetch(PrefetchKind.SecondLevel, At(Rcx, 4096))),
        new(
            "{rex} {disp32} prefetcht2 [rcx+4096]", "400F189900100000",
            code => code.Prefetch(PrefetchKind.ThirdLevel, At(Rcx, 4096))),
        new(
            "{rex} {disp32} prefetcht0 [rcx+rbx+4096]", "400F188C1900100000",
            code => code.Prefetch(PrefetchKind.FirstLevel, At(Rcx, 4096, Rbx))),
        new("prefetcht0 [rcx+r11+64]", "420F184C1940", code => code.Prefetch(PrefetchKind.FirstLevel, At(Rcx, 64, R11))),
        new("prefetcht0 [r9+r14+64]", "430F184C3140", code => code.Prefetch(PrefetchKind.FirstLevel, At(R9, 64, R14))),
    ];

    private static MachineMemory At(MachineRegister start, int displacement = 0, MachineRegister? index = null) =>
        new(start, displacement, index);
}
