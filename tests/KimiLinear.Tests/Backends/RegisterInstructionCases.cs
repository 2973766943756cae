using static KimiLinear.Backends.VectorInstruction;

namespace KimiLinear.Tests.Backends;

/// <summary>Vector instructions on registers alone, and the bytes that GNU as makes of them.</summary>
internal static class RegisterInstructionCases
{
    // Every instruction, and registers of each eight in each place.
    public static readonly MachineCodeCase[] Operands =
    [
        new("vpdpbusd zmm0, zmm2, zmm3", "62F26D4850C3", code => code.Vector(AddByteProducts, 0, 2, 3)),
        new("vpdpbusd zmm7, zmm2, zmm3", "62F26D4850FB", code => code.Vector(AddByteProducts, 7, 2, 3)),
        new("vpdpbusd zmm8, zmm2, zmm3", "62726D4850C3", code => code.Vector(AddByteProducts, 8, 2, 3)),
        new("vpdpbusd zmm15, zmm2, zmm3", "62726D4850FB", code => code.Vector(AddByteProducts, 15, 2, 3)),
        new("vpdpbusd zmm16, zmm2, zmm3", "62E26D4850C3", code => code.Vector(AddByteProducts, 16, 2, 3)),
        new("vpdpbusd zmm24, zmm2, zmm3", "62626D4850C3", code => code.Vector(AddByteProducts, 24, 2, 3)),
        new("vpdpbusd zmm31, zmm2, zmm3", "62626D4850FB", code => code.Vector(AddByteProducts, 31, 2, 3)),
        new("vpdpbusd zmm1, zmm0, zmm3", "62F27D4850CB", code => code.Vector(AddByteProducts, 1, 0, 3)),
        new("vpdpbusd zmm1, zmm7, zmm3", "62F2454850CB", code => code.Vector(AddByteProducts, 1, 7, 3)),
        new("vpdpbusd zmm1, zmm8, zmm3", "62F23D4850CB", code => code.Vector(AddByteProducts, 1, 8, 3)),
        new("vpdpbusd zmm1, zmm15, zmm3", "62F2054850CB", code => code.Vector(AddByteProducts, 1, 15, 3)),
        new("vpdpbusd zmm1, zmm16, zmm3", "62F27D4050CB", code => code.Vector(AddByteProducts, 1, 16, 3)),
        new("vpdpbusd zmm1, zmm24, zmm3", "62F23D4050CB", code => code.Vector(AddByteProducts, 1, 24, 3)),
        new("vpdpbusd zmm1, zmm31, zmm3", "62F2054050CB", code => code.Vector(AddByteProducts, 1, 31, 3)),
        new("vpdpbusd zmm1, zmm2, zmm0", "62F26D4850C8", code => code.Vector(AddByteProducts, 1, 2, 0)),
        new("vpdpbusd zmm1, zmm2, zmm7", "62F26D4850CF", code => code.Vector(AddByteProducts, 1, 2, 7)),
        new("vpdpbusd zmm1, zmm2, zmm8", "62D26D4850C8", code => code.Vector(AddByteProducts, 1, 2, 8)),
        new("vpdpbusd zmm1, zmm2, zmm15", "62D26D4850CF", code => code.Vector(AddByteProducts, 1, 2, 15)),
        new("vpdpbusd zmm1, zmm2, zmm16", "62B26D4850C8", code => code.Vector(AddByteProducts, 1, 2, 16)),
        new("vpdpbusd zmm1, zmm2, zmm24", "62926D4850C8", code => code.Vector(AddByteProducts, 1, 2, 24)),
        new("vpdpbusd zmm1, zmm2, zmm31", "62926D4850CF", code => code.Vector(AddByteProducts, 1, 2, 31)),
        new("vpxord zmm17, zmm9, zmm30", "62813548EFCE", code => code.Vector(Xor, 17, 9, 30)),
        new("vpandd zmm18, zmm11, zmm29", "62812548DBD5", code => code.Vector(And, 18, 11, 29)),
        new("vpaddd zmm19, zmm13, zmm28", "62811548FEDC", code => code.Vector(Add, 19, 13, 28)),
        new("vpmulld zmm20, zmm15, zmm27", "6282054840E3", code => code.Vector(Multiply, 20, 15, 27)),
        new("vpmaddwd zmm21, zmm17, zmm26", "62817540F5EA", code => code.Vector(MultiplyPairs, 21, 17, 26)),
        new("vmulps zmm22, zmm19, zmm25", "6281644059F1", code => code.Vector(MultiplyFloats, 22, 19, 25)),
        new("vfmadd231ps zmm23, zmm21, zmm24", "62825540B8F8", code => code.Vector(MultiplyAddFloats, 23, 21, 24)),
        new("vpdpbusd zmm24, zmm23, zmm23", "6222454050C7", code => code.Vector(AddByteProducts, 24, 23, 23)),
        new("vpdpwssd zmm25, zmm25, zmm22", "6222354052CE", code => code.Vector(AddShortProducts, 25, 25, 22)),
        new("vmovups zmm0, zmm31", "62917C4810C7", code => code.Vector(Load, 0, 31)),
        new("vmovups zmm8, zmm15", "62517C4810C7", code => code.Vector(Load, 8, 15)),
        new("vmovups zmm16, zmm7", "62E17C4810C7", code => code.Vector(Load, 16, 7)),
        new("vmovups zmm31, zmm8", "62417C4810F8", code => code.Vector(Load, 31, 8)),
        new("vpbroadcastd zmm0, xmm31", "62927D4858C7", code => code.Vector(Broadcast, 0, 31)),
        new("vpbroadcastd zmm8, xmm15", "62527D4858C7", code => code.Vector(Broadcast, 8, 15)),
        new("vpbroadcastd zmm16, xmm7", "62E27D4858C7", code => code.Vector(Broadcast, 16, 7)),
        new("vpbroadcastd zmm31, xmm8", "62427D4858F8", code => code.Vector(Broadcast, 31, 8)),
        new("vpmovzxbd zmm29, xmm10", "62427D4831EA", code => code.Vector(WidenBytes, 29, 10)),
        new("vpmovzxbd zmm5, xmm22", "62B27D4831EE", code => code.Vector(WidenBytes, 5, 22)),
        new("vpmovzxwd zmm29, ymm6", "62627D4833EE", code => code.Vector(WidenShorts, 29, 6)),
        new("vpmovzxwd zmm5, ymm21", "62B27D4833ED", code => code.Vector(WidenShorts, 5, 21)),
        new("vcvtdq2ps zmm29, zmm2", "62617C485BEA", code => code.Vector(ToFloat, 29, 2)),
        new("vcvtdq2ps zmm5, zmm20", "62B17C485BEC", code => code.Vector(ToFloat, 5, 20)),
    ];

    // Shifts by a constant.
    public static readonly MachineCodeCase[] Shifts =
    [
        new("vpslld zmm0, zmm0, 8", "62F17D4872F008", code => code.ShiftLeftBy(0, 8)),
        new("vpsrad zmm0, zmm0, 8", "62F17D4872E008", code => code.ShiftRightSignedBy(0, 8)),
        new("vpslld zmm7, zmm7, 1", "62F1454872F701", code => code.ShiftLeftBy(7, 1)),
        new("vpsrad zmm7, zmm7, 1", "62F1454872E701", code => code.ShiftRightSignedBy(7, 1)),
        new("vpslld zmm8, zmm8, 16", "62D13D4872F010", code => code.ShiftLeftBy(8, 16)),
        new("vpsrad zmm8, zmm8, 16", "62D13D4872E010", code => code.ShiftRightSignedBy(8, 16)),
        new("vpslld zmm15, zmm15, 31", "62D1054872F71F", code => code.ShiftLeftBy(15, 31)),
        new("vpsrad zmm15, zmm15, 31", "62D1054872E71F", code => code.ShiftRightSignedBy(15, 31)),
        new("vpslld zmm16, zmm16, 4", "62B17D4072F004", code => code.ShiftLeftBy(16, 4)),
        new("vpsrad zmm16, zmm16, 4", "62B17D4072E004", code => code.ShiftRightSignedBy(16, 4)),
        new("vpslld zmm31, zmm31, 255", "6291054072F7FF", code => code.ShiftLeftBy(31, 255)),
        new("vpsrad zmm31, zmm31, 255", "6291054072E7FF", code => code.ShiftRightSignedBy(31, 255)),
        new("vpsllw zmm0, zmm31, 8", "62917D4871F708", code => code.ShiftShortsLeftBy(0, 31, 8)),
        new("vpsraw zmm0, zmm31, 8", "62917D4871E708", code => code.ShiftShortsRightSignedBy(0, 31, 8)),
        new("vpsllw zmm31, zmm0, 8", "62F1054071F008", code => code.ShiftShortsLeftBy(31, 0, 8)),
        new("vpsraw zmm31, zmm0, 8", "62F1054071E008", code => code.ShiftShortsRightSignedBy(31, 0, 8)),
        new("vpsllw zmm8, zmm7, 8", "62F13D4871F708", code => code.ShiftShortsLeftBy(8, 7, 8)),
        new("vpsraw zmm8, zmm7, 8", "62F13D4871E708", code => code.ShiftShortsRightSignedBy(8, 7, 8)),
        new("vpsllw zmm7, zmm8, 8", "62D1454871F008", code => code.ShiftShortsLeftBy(7, 8, 8)),
        new("vpsraw zmm7, zmm8, 8", "62D1454871E008", code => code.ShiftShortsRightSignedBy(7, 8, 8)),
        new("vpsllw zmm15, zmm16, 8", "62B1054871F008", code => code.ShiftShortsLeftBy(15, 16, 8)),
        new("vpsraw zmm15, zmm16, 8", "62B1054871E008", code => code.ShiftShortsRightSignedBy(15, 16, 8)),
        new("vpsllw zmm16, zmm15, 8", "62D17D4071F708", code => code.ShiftShortsLeftBy(16, 15, 8)),
        new("vpsraw zmm16, zmm15, 8", "62D17D4071E708", code => code.ShiftShortsRightSignedBy(16, 15, 8)),
        new("vpsllw zmm24, zmm25, 8", "62913D4071F108", code => code.ShiftShortsLeftBy(24, 25, 8)),
        new("vpsraw zmm24, zmm25, 8", "62913D4071E108", code => code.ShiftShortsRightSignedBy(24, 25, 8)),
    ];
}
