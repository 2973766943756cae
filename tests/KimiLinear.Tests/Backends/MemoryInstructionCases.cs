using KimiLinear.Backends;
using static KimiLinear.Backends.MachineRegister;
using static KimiLinear.Backends.VectorInstruction;

namespace KimiLinear.Tests.Backends;

/// <summary>Vector instructions with an operand in memory, and the bytes that GNU as makes of them.</summary>
internal static class MemoryInstructionCases
{
    // Every base and index, and displacements on either side of what fits one byte in units of the operand.
    public static readonly MachineCodeCase[] All =
    [
        new("{disp8} vmovups zmm0, [rax+64]", "62F17C48104001", code => code.Vector(Load, 0, At(Rax, 64))),
        new("{disp8} vmovups zmm5, [rcx+128]", "62F17C48106902", code => code.Vector(Load, 5, At(Rcx, 128))),
        new("{disp8} vmovups zmm10, [rdx+192]", "62717C48105203", code => code.Vector(Load, 10, At(Rdx, 192))),
        new("{disp8} vmovups zmm15, [rbx+256]", "62717C48107B04", code => code.Vector(Load, 15, At(Rbx, 256))),
        new("{disp8} vmovups zmm20, [rsi+320]", "62E17C48106605", code => code.Vector(Load, 20, At(Rsi, 320))),
        new("{disp8} vmovups zmm25, [rdi+384]", "62617C48104F06", code => code.Vector(Load, 25, At(Rdi, 384))),
        new("{disp8} vmovups zmm30, [r8+448]", "62417C48107007", code => code.Vector(Load, 30, At(R8, 448))),
        new("{disp8} vmovups zmm3, [r9+512]", "62D17C48105908", code => code.Vector(Load, 3, At(R9, 512))),
        new("{disp8} vmovups zmm8, [r10+576]", "62517C48104209", code => code.Vector(Load, 8, At(R10, 576))),
        new("{disp8} vmovups zmm13, [r11+640]", "62517C48106B0A", code => code.Vector(Load, 13, At(R11, 640))),
        new("{disp8} vmovups zmm18, [r12+704]", "62C17C481054240B", code => code.Vector(Load, 18, At(R12, 704))),
        new("{disp8} vmovups zmm23, [r13+768]", "62C17C48107D0C", code => code.Vector(Load, 23, At(R13, 768))),
        new("{disp8} vmovups zmm28, [r14+832]", "62417C4810660D", code => code.Vector(Load, 28, At(R14, 832))),
        new("{disp8} vmovups zmm1, [r15+896]", "62D17C48104F0E", code => code.Vector(Load, 1, At(R15, 896))),
        new("{disp8} vpbroadcastd zmm9, [r12+rax+4]", "62527D48584C0401", code => code.Vector(Broadcast, 9, At(R12, 4, Rax))),
        new("{disp8} vpbroadcastd zmm9, [r12+rbx+4]", "62527D48584C1C01", code => code.Vector(Broadcast, 9, At(R12, 4, Rbx))),
        new("{disp8} vpbroadcastd zmm9, [r12+rsi+4]", "62527D48584C3401", code => code.Vector(Broadcast, 9, At(R12, 4, Rsi))),
        new("{disp8} vpbroadcastd zmm9, [r12+r8+4]", "62127D48584C0401", code => code.Vector(Broadcast, 9, At(R12, 4, R8))),
        new("{disp8} vpbroadcastd zmm9, [r12+r11+4]", "62127D48584C1C01", code => code.Vector(Broadcast, 9, At(R12, 4, R11))),
        new("{disp8} vpbroadcastd zmm9, [r12+r12+4]", "62127D48584C2401", code => code.Vector(Broadcast, 9, At(R12, 4, R12))),
        new("{disp8} vpbroadcastd zmm9, [r12+r13+4]", "62127D48584C2C01", code => code.Vector(Broadcast, 9, At(R12, 4, R13))),
        new("{disp8} vpbroadcastd zmm9, [r12+r14+4]", "62127D48584C3401", code => code.Vector(Broadcast, 9, At(R12, 4, R14))),
        new("{disp8} vpbroadcastd zmm9, [r12+r15+4]", "62127D48584C3C01", code => code.Vector(Broadcast, 9, At(R12, 4, R15))),
        new("{disp8} vpbroadcastd zmm25, [rax+r11+8]", "62227D48584C1802", code => code.Vector(Broadcast, 25, At(Rax, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [rcx+r11+8]", "62227D48584C1902", code => code.Vector(Broadcast, 25, At(Rcx, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [rdx+r11+8]", "62227D48584C1A02", code => code.Vector(Broadcast, 25, At(Rdx, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [rbx+r11+8]", "62227D48584C1B02", code => code.Vector(Broadcast, 25, At(Rbx, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [rsi+r11+8]", "62227D48584C1E02", code => code.Vector(Broadcast, 25, At(Rsi, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [rdi+r11+8]", "62227D48584C1F02", code => code.Vector(Broadcast, 25, At(Rdi, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r8+r11+8]", "62027D48584C1802", code => code.Vector(Broadcast, 25, At(R8, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r9+r11+8]", "62027D48584C1902", code => code.Vector(Broadcast, 25, At(R9, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r10+r11+8]", "62027D48584C1A02", code => code.Vector(Broadcast, 25, At(R10, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r11+r11+8]", "62027D48584C1B02", code => code.Vector(Broadcast, 25, At(R11, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r13+r11+8]", "62027D48584C1D02", code => code.Vector(Broadcast, 25, At(R13, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r14+r11+8]", "62027D48584C1E02", code => code.Vector(Broadcast, 25, At(R14, 8, R11))),
        new("{disp8} vpbroadcastd zmm25, [r15+r11+8]", "62027D48584C1F02", code => code.Vector(Broadcast, 25, At(R15, 8, R11))),
        new("{disp8} vmovups [rcx], zmm20", "62E17C48116100", code => code.Vector(Store, 20, At(Rcx))),
        new("{disp8} vmovups [rcx+64], zmm20", "62E17C48116101", code => code.Vector(Store, 20, At(Rcx, 64))),
        new("{disp8} vmovups [rcx-64], zmm20", "62E17C481161FF", code => code.Vector(Store, 20, At(Rcx, -64))),
        new("{disp8} vmovups [rcx+8128], zmm20", "62E17C4811617F", code => code.Vector(Store, 20, At(Rcx, 8128))),
        new("{disp8} vmovups [rcx-8192], zmm20", "62E17C48116180", code => code.Vector(Store, 20, At(Rcx, -8192))),
        new("{disp32} vmovups [rcx+8192], zmm20", "62E17C4811A100200000", code => code.Vector(Store, 20, At(Rcx, 8192))),
        new("{disp32} vmovups [rcx-8256], zmm20", "62E17C4811A1C0DFFFFF", code => code.Vector(Store, 20, At(Rcx, -8256))),
        new("{disp32} vmovups [rcx+1], zmm20", "62E17C4811A101000000", code => code.Vector(Store, 20, At(Rcx, 1))),
        new("{disp32} vmovups [rcx-1], zmm20", "62E17C4811A1FFFFFFFF", code => code.Vector(Store, 20, At(Rcx, -1))),
        new("{disp32} vmovups [rcx+32], zmm20", "62E17C4811A120000000", code => code.Vector(Store, 20, At(Rcx, 32))),
        new("{disp32} vmovups [rcx-4], zmm20", "62E17C4811A1FCFFFFFF", code => code.Vector(Store, 20, At(Rcx, -4))),
        new(
            "{disp32} vmovups [rcx+2000000000], zmm20", "62E17C4811A100943577",
            code => code.Vector(Store, 20, At(Rcx, 2000000000))),
        new(
            "{disp32} vmovups [rcx-2000000000], zmm20", "62E17C4811A1006CCA88",
            code => code.Vector(Store, 20, At(Rcx, -2000000000))),
        new("{disp8} vmovups [r13], zmm31", "62417C48117D00", code => code.Vector(Store, 31, At(R13))),
        new("{disp8} vmovups [r12], zmm8", "62517C4811442400", code => code.Vector(Store, 8, At(R12))),
        new("{disp8} vmovups zmm0, [r13]", "62D17C48104500", code => code.Vector(Load, 0, At(R13))),
        new("{disp8} vmovups zmm0, [r12]", "62D17C4810442400", code => code.Vector(Load, 0, At(R12))),
        new("{disp8} vpbroadcastd zmm3, [rdx+508]", "62F27D48585A7F", code => code.Vector(Broadcast, 3, At(Rdx, 508))),
        new("{disp8} vpbroadcastd zmm3, [rdx-512]", "62F27D48585A80", code => code.Vector(Broadcast, 3, At(Rdx, -512))),
        new("{disp32} vpbroadcastd zmm3, [rdx+512]", "62F27D48589A00020000", code => code.Vector(Broadcast, 3, At(Rdx, 512))),
        new("{disp32} vpbroadcastd zmm3, [rdx-516]", "62F27D48589AFCFDFFFF", code => code.Vector(Broadcast, 3, At(Rdx, -516))),
        new("{disp32} vpbroadcastd zmm3, [rdx+2]", "62F27D48589A02000000", code => code.Vector(Broadcast, 3, At(Rdx, 2))),
        new("{disp8} vpmovzxbd zmm24, [r9+2032]", "62427D4831417F", code => code.Vector(WidenBytes, 24, At(R9, 2032))),
        new("{disp8} vpmovzxbd zmm24, [r9-2048]", "62427D48314180", code => code.Vector(WidenBytes, 24, At(R9, -2048))),
        new("{disp32} vpmovzxbd zmm24, [r9+2048]", "62427D48318100080000", code => code.Vector(WidenBytes, 24, At(R9, 2048))),
        new("{disp32} vpmovzxbd zmm24, [r9+8]", "62427D48318108000000", code => code.Vector(WidenBytes, 24, At(R9, 8))),
        new("{disp8} vpmovzxwd zmm12, [r10+4064]", "62527D4833627F", code => code.Vector(WidenShorts, 12, At(R10, 4064))),
        new("{disp8} vpmovzxwd zmm12, [r10-4096]", "62527D48336280", code => code.Vector(WidenShorts, 12, At(R10, -4096))),
        new("{disp32} vpmovzxwd zmm12, [r10+4096]", "62527D4833A200100000", code => code.Vector(WidenShorts, 12, At(R10, 4096))),
        new("{disp32} vpmovzxwd zmm12, [r10+16]", "62527D4833A210000000", code => code.Vector(WidenShorts, 12, At(R10, 16))),
        new("{disp8} vcvtdq2ps zmm19, [rsi-64]", "62E17C485B5EFF", code => code.Vector(ToFloat, 19, At(Rsi, -64))),
        new("{disp8} vpxord zmm3, zmm16, [rdi-256]", "62F17D40EF5FFC", code => code.Vector(Xor, 3, 16, At(Rdi, -256))),
        new(
            "{disp8} vpxord zmm8, zmm1, [r15-400]{1to16}", "62517558EF479C",
            code => code.Vector(Xor, 8, 1, At(R15, -400), isBroadcast: true)),
        new("{disp8} vpandd zmm10, zmm27, [r14-192]", "62512540DB56FD", code => code.Vector(And, 10, 27, At(R14, -192))),
        new(
            "{disp8} vpandd zmm13, zmm4, [rbx-280]{1to16}", "62715D58DB6BBA",
            code => code.Vector(And, 13, 4, At(Rbx, -280), isBroadcast: true)),
        new("{disp8} vpaddd zmm17, zmm6, [rdi-128]", "62E14D48FE4FFE", code => code.Vector(Add, 17, 6, At(Rdi, -128))),
        new(
            "{disp8} vpaddd zmm18, zmm7, [r15-160]{1to16}", "62C14558FE57D8",
            code => code.Vector(Add, 18, 7, At(R15, -160), isBroadcast: true)),
        new("{disp8} vpmulld zmm24, zmm17, [r14-64]", "624275404046FF", code => code.Vector(Multiply, 24, 17, At(R14, -64))),
        new(
            "{disp8} vpmulld zmm23, zmm10, [rbx-40]{1to16}", "62E22D58407BF6",
            code => code.Vector(Multiply, 23, 10, At(Rbx, -40), isBroadcast: true)),
        new("{disp8} vpmaddwd zmm31, zmm28, [rdi]", "62611D40F57F00", code => code.Vector(MultiplyPairs, 31, 28, At(Rdi))),
        new("{disp8} vmulps zmm6, zmm7, [r14+64]", "62D14448597601", code => code.Vector(MultiplyFloats, 6, 7, At(R14, 64))),
        new(
            "{disp8} vmulps zmm1, zmm16, [rbx+200]{1to16}", "62F17C50594B32",
            code => code.Vector(MultiplyFloats, 1, 16, At(Rbx, 200), isBroadcast: true)),
        new(
            "{disp8} vfmadd231ps zmm13, zmm18, [rdi+128]", "62726D40B86F02",
            code => code.Vector(MultiplyAddFloats, 13, 18, At(Rdi, 128))),
        new(
            "{disp8} vfmadd231ps zmm6, zmm19, [r15+320]{1to16}", "62D26550B87750",
            code => code.Vector(MultiplyAddFloats, 6, 19, At(R15, 320), isBroadcast: true)),
        new(
            "{disp8} vpdpbusd zmm20, zmm29, [r14+192]", "62C21540506603",
            code => code.Vector(AddByteProducts, 20, 29, At(R14, 192))),
        new(
            "{disp8} vpdpbusd zmm11, zmm22, [rbx+440]{1to16}", "62724D50505B6E",
            code => code.Vector(AddByteProducts, 11, 22, At(Rbx, 440), isBroadcast: true)),
        new(
            "{disp8} vpdpwssd zmm27, zmm8, [rdi+256]", "62623D48525F04",
            code => code.Vector(AddShortProducts, 27, 8, At(Rdi, 256))),
        new(
            "{disp32} vpdpwssd zmm16, zmm25, [r15+560]{1to16}", "62C23550528730020000",
            code => code.Vector(AddShortProducts, 16, 25, At(R15, 560), isBroadcast: true)),
        new(
            "{disp8} vpdpbusd zmm16, zmm31, [r8+r11+508]{1to16}", "628205505044187F",
            code => code.Vector(AddByteProducts, 16, 31, At(R8, 508, R11), isBroadcast: true)),
        new(
            "{disp8} vpdpbusd zmm16, zmm31, [r8+r11-512]{1to16}", "6282055050441880",
            code => code.Vector(AddByteProducts, 16, 31, At(R8, -512, R11), isBroadcast: true)),
        new(
            "{disp32} vpdpbusd zmm16, zmm31, [r8+r11+512]{1to16}", "6282055050841800020000",
            code => code.Vector(AddByteProducts, 16, 31, At(R8, 512, R11), isBroadcast: true)),
        new(
            "{disp32} vpdpbusd zmm16, zmm31, [r8+r11-516]{1to16}", "62820550508418FCFDFFFF",
            code => code.Vector(AddByteProducts, 16, 31, At(R8, -516, R11), isBroadcast: true)),
        new(
            "{disp32} vpdpbusd zmm16, zmm31, [r8+r11+6]{1to16}", "6282055050841806000000",
            code => code.Vector(AddByteProducts, 16, 31, At(R8, 6, R11), isBroadcast: true)),
        new(
            "{disp8} vfmadd231ps zmm2, zmm16, [rbx+r13]{1to16}", "62B27D50B8542B00",
            code => code.Vector(MultiplyAddFloats, 2, 16, At(Rbx, 0, R13), isBroadcast: true)),
        new(
            "{disp8} vfmadd231ps zmm5, zmm1, [r12+r14]{1to16}", "62927558B86C3400",
            code => code.Vector(MultiplyAddFloats, 5, 1, At(R12, 0, R14), isBroadcast: true)),
    ];

    private static MachineMemory At(MachineRegister start, int displacement = 0, MachineRegister? index = null) =>
        new(start, displacement, index);
}
