namespace KimiLinear.Backends;

/// <summary>An instruction with 512-bit registers, as its EVEX prefix names it.</summary>
/// <param name="Prefix">0 for none, 1 for 66.</param>
/// <param name="Map">1 for 0F, 2 for 0F 38.</param>
/// <param name="Opcode">The byte behind the prefix.</param>
/// <param name="OperandBytes">Bytes of an operand in memory that is not given to every lane.</param>
/// <remarks>Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, sections 2.7 and 3 to 5.</remarks>
internal readonly record struct VectorInstruction(byte Prefix, byte Map, byte Opcode, int OperandBytes = 64)
{
    /// <summary>VMOVUPS, to a register.</summary>
    public static readonly VectorInstruction Load = new(0, 1, 0x10);

    /// <summary>VMOVUPS, to memory.</summary>
    public static readonly VectorInstruction Store = new(0, 1, 0x11);

    /// <summary>VPBROADCASTD: four bytes to every lane.</summary>
    public static readonly VectorInstruction Broadcast = new(1, 2, 0x58, 4);

    /// <summary>VPXORD.</summary>
    public static readonly VectorInstruction Xor = new(1, 1, 0xEF);

    /// <summary>VPANDD.</summary>
    public static readonly VectorInstruction And = new(1, 1, 0xDB);

    /// <summary>VPADDD.</summary>
    public static readonly VectorInstruction Add = new(1, 1, 0xFE);

    /// <summary>VPMULLD: the lower halves of 32-bit products.</summary>
    public static readonly VectorInstruction Multiply = new(1, 2, 0x40);

    /// <summary>VPMADDWD: sums of two products of 16-bit numbers.</summary>
    public static readonly VectorInstruction MultiplyPairs = new(1, 1, 0xF5);

    /// <summary>VPMOVZXBD: 16 unsigned bytes as 32-bit numbers.</summary>
    public static readonly VectorInstruction WidenBytes = new(1, 2, 0x31, 16);

    /// <summary>VPMOVZXWD: 16 unsigned 16-bit numbers as 32-bit numbers.</summary>
    public static readonly VectorInstruction WidenShorts = new(1, 2, 0x33, 32);

    /// <summary>VCVTDQ2PS: 32-bit integers as floats.</summary>
    public static readonly VectorInstruction ToFloat = new(0, 1, 0x5B);

    /// <summary>VMULPS.</summary>
    public static readonly VectorInstruction MultiplyFloats = new(0, 1, 0x59);

    /// <summary>VFMADD231PS: adds a product to the first operand.</summary>
    public static readonly VectorInstruction MultiplyAddFloats = new(1, 2, 0xB8);

    /// <summary>VPDPBUSD: adds four products of unsigned bytes (second operand) with signed ones (third).</summary>
    public static readonly VectorInstruction AddByteProducts = new(1, 2, 0x50);

    /// <summary>VPDPWSSD: adds two products of signed 16-bit numbers.</summary>
    public static readonly VectorInstruction AddShortProducts = new(1, 2, 0x52);
}
