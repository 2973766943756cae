using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace KimiLinear.Backends;

/// <summary>Writes x64 instructions: those few that kernels are made of.</summary>
internal sealed class MachineCodeWriter
{
    // Shifts by a constant are told apart by the field of a register.
    private const byte ShiftLeft = 6;
    private const byte ShiftRightSigned = 4;
    private const byte OfShorts = 0x71;
    private const byte OfIntegers = 0x72;

    private readonly List<byte> _code = [];

    public byte[] ToArray() => [.. _code];

    /// <summary>A place that a later jump goes to.</summary>
    public int Here => _code.Count;

    /// <summary>A vector instruction on registers 0 to 31; <paramref name="first"/> is written.</summary>
    public void Vector(VectorInstruction instruction, int first, int second, int third)
    {
        EvexPrefix(instruction, first, second, (third >> 3) & 1, third >> 4, isBroadcast: false);
        _code.Add(instruction.Opcode);
        _code.Add(ModRm(3, first, third));
    }

    /// <summary>A vector instruction of two registers.</summary>
    public void Vector(VectorInstruction instruction, int first, int second) => Vector(instruction, first, 0, second);

    /// <summary>A vector instruction whose last operand is in memory; four bytes for every lane with <paramref name="isBroadcast"/>.</summary>
    public void Vector(VectorInstruction instruction, int first, int second, MachineMemory third, bool isBroadcast = false)
    {
        int index = third.Index is { } register ? (int)register : 0;
        EvexPrefix(instruction, first, second, (int)third.Base >> 3, index >> 3, isBroadcast);
        _code.Add(instruction.Opcode);
        Operand(first, third, isBroadcast ? sizeof(float) : instruction.OperandBytes);
    }

    /// <summary>A vector instruction of a register and memory.</summary>
    public void Vector(VectorInstruction instruction, int register, MachineMemory memory) =>
        Vector(instruction, register, 0, memory);

    /// <summary>VPSLLD.</summary>
    public void ShiftLeftBy(int register, byte bits) => Shift(OfIntegers, ShiftLeft, register, register, bits);

    /// <summary>VPSRAD.</summary>
    public void ShiftRightSignedBy(int register, byte bits) => Shift(OfIntegers, ShiftRightSigned, register, register, bits);

    /// <summary>VPSLLW.</summary>
    public void ShiftShortsLeftBy(int destination, int source, byte bits) =>
        Shift(OfShorts, ShiftLeft, destination, source, bits);

    /// <summary>VPSRAW.</summary>
    public void ShiftShortsRightSignedBy(int destination, int source, byte bits) =>
        Shift(OfShorts, ShiftRightSigned, destination, source, bits);

    public void Move(MachineRegister destination, MachineRegister source) => General(0x8B, (int)destination, (int)source);

    public void Load(MachineRegister destination, MachineMemory source) => General(0x8B, (int)destination, source);

    public void Store(MachineMemory destination, MachineRegister source) => General(0x89, (int)source, destination);

    public void Clear(MachineRegister register) => General(0x33, (int)register, (int)register);

    public void Add(MachineRegister register, int value)
    {
        General(0x81, 0, (int)register);
        Int32(value);
    }

    /// <summary>Adds what is in memory.</summary>
    public void Add(MachineRegister register, MachineMemory value) => General(0x03, (int)register, value);

    /// <summary>Goes back to a place unless a register is zero.</summary>
    public void JumpUnlessZero(MachineRegister register, int place)
    {
        General(0x85, (int)register, (int)register);
        _code.Add(0x0F);
        _code.Add(0x85);
        Int32(place - (_code.Count + sizeof(int)));
    }

    /// <summary>Jumps if a register is zero, to where <see cref="Land"/> is called with what this returns.</summary>
    public int JumpIfZero(MachineRegister register)
    {
        General(0x85, (int)register, (int)register);
        _code.Add(0x0F);
        _code.Add(0x84);
        Int32(0);
        return Here;
    }

    /// <summary>Makes this the place that a jump goes to.</summary>
    public void Land(int jump) =>
        BinaryPrimitives.WriteInt32LittleEndian(CollectionsMarshal.AsSpan(_code)[(jump - sizeof(int))..], Here - jump);

    /// <summary>Fills up to a line of memory, with instructions that nothing runs.</summary>
    public void Align()
    {
        const byte Breakpoint = 0xCC;
        while (Here % CacheLine.ByteCount != 0)
        {
            _code.Add(Breakpoint);
        }
    }

    /// <summary>PREFETCHNTA, PREFETCHT0, PREFETCHT1 or PREFETCHT2.</summary>
    public void Prefetch(PrefetchKind kind, MachineMemory memory)
    {
        Rex(isWide: false, 0, (int)memory.Base, memory.Index is { } index ? (int)index : 0);
        _code.Add(0x0F);
        _code.Add(0x18);
        Operand((int)kind, memory, 1);
    }

    /// <summary>VZEROUPPER, so that instructions of 128 bits that follow do not wait for wider ones.</summary>
    public void ClearUpperHalves() => _code.AddRange([0xC5, 0xF8, 0x77]);

    public void Return() => _code.Add(0xC3);

    private static byte ModRm(int mode, int register, int operand) => (byte)((mode << 6) | ((register & 7) << 3) | (operand & 7));

    private void Shift(byte opcode, byte kind, int destination, int source, byte bits)
    {
        VectorInstruction instruction = new(1, 1, opcode);
        EvexPrefix(instruction, kind, destination, (source >> 3) & 1, source >> 4, isBroadcast: false);
        _code.Add(opcode);
        _code.Add(ModRm(3, kind, source));
        _code.Add(bits);
    }

    // Upper bits of the numbers of registers are stored inverted.
    private void EvexPrefix(VectorInstruction instruction, int first, int second, int operandBit3, int operandBit4, bool isBroadcast)
    {
        const int Bits512 = 2 << 5;
        _code.Add(0x62);
        _code.Add((byte)(
            ((~(first >> 3) & 1) << 7) | ((~operandBit4 & 1) << 6) | ((~operandBit3 & 1) << 5) | ((~(first >> 4) & 1) << 4)
            | instruction.Map));
        _code.Add((byte)(((~second & 15) << 3) | 4 | instruction.Prefix));
        _code.Add((byte)(Bits512 | (isBroadcast ? 1 << 4 : 0) | ((~(second >> 4) & 1) << 3)));
    }

    private void Rex(bool isWide, int register, int operand, int index) => _code.Add(
        (byte)(0x40 | (isWide ? 8 : 0) | ((register >> 3) << 2) | ((index >> 3) << 1) | (operand >> 3)));

    private void General(byte opcode, int register, int operand)
    {
        Rex(isWide: true, register, operand, 0);
        _code.Add(opcode);
        _code.Add(ModRm(3, register, operand));
    }

    private void General(byte opcode, int register, MachineMemory operand)
    {
        Rex(isWide: true, register, (int)operand.Base, operand.Index is { } index ? (int)index : 0);
        _code.Add(opcode);
        Operand(register, operand, 1);
    }

    // A displacement of one byte counts in units of the operand's size.
    private void Operand(int register, MachineMemory memory, int unit)
    {
        const int NoIndex = 4;
        const int HasIndexByte = 4;
        int places = Math.DivRem(memory.Displacement, unit, out int rest);
        bool isShort = rest == 0 && places is >= sbyte.MinValue and <= sbyte.MaxValue;
        bool hasIndexByte = memory.Index is not null || ((int)memory.Base & 7) == HasIndexByte;
        _code.Add(ModRm(isShort ? 1 : 2, register, hasIndexByte ? HasIndexByte : (int)memory.Base));
        if (hasIndexByte)
        {
            _code.Add(ModRm(0, memory.Index is { } index ? (int)index : NoIndex, (int)memory.Base));
        }

        if (isShort)
        {
            _code.Add((byte)(sbyte)places);
        }
        else
        {
            Int32(memory.Displacement);
        }
    }

    private void Int32(int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        _code.AddRange(bytes);
    }
}
