using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Writes products of one row of activations or four with a packed tile, read where it lies.</summary>
/// <remarks>
/// Registers 0 to 5 and 16 to 31 are those that no convention gives to the caller; the stack is not touched, so that no
/// description of it is needed. Each block begins sums of its own, so that the processor goes on with the next block while it waits
/// for them.
/// </remarks>
internal abstract class RowsCode(MachineCodeWriter code, int rowCount)
{
    protected const MachineRegister Arguments = MachineRegister.Rax;
    protected const MachineRegister Pair = MachineRegister.Rcx;
    protected const MachineRegister LowPlane = MachineRegister.R11;
    protected const MachineRegister InputScale = MachineRegister.Rbx;
    protected const MachineRegister InputOffset = MachineRegister.Rsi;

    /// <summary>The first of the registers with what rows add up, which only the end writes to memory.</summary>
    protected const int FirstTotal = 2;

    /// <summary>The first of the registers with the sums of a block, two for each row.</summary>
    protected const int FirstSum = 16;

    /// <summary>The first of eight registers with weights.</summary>
    protected const int FirstWeights = 24;

    private const MachineRegister Count = MachineRegister.Rdi;
    private const int SecondHeader = PackedLayout.HeaderBytes / 2;

    private static readonly MachineRegister[] Inputs =
        [MachineRegister.Rdx, MachineRegister.R8, MachineRegister.R9, MachineRegister.R10];

    // What some convention wants back as it was.
    private static readonly MachineRegister[] Kept = [InputScale, InputOffset, Count];

    protected MachineCodeWriter Code => code;

    protected int RowCount => rowCount;

    /// <summary>Bytes of the codes of a block.</summary>
    protected abstract int BlockBytes { get; }

    /// <summary>Bytes of a row's codes in a block, which lie in a row.</summary>
    protected abstract int InputBlockBytes { get; }

    /// <summary>Whether weights have a scale for each row, by which the sums are multiplied in the end.</summary>
    protected abstract bool HasRowScales { get; }

    /// <summary>Writes the kernel; its only argument is the address of <see cref="RowsArguments"/>.</summary>
    public void Write(MachineRegister argument)
    {
        code.Move(Arguments, argument);
        for (int i = 0; i < Kept.Length; i++)
        {
            code.Store(KeptAt(i), Kept[i]);
        }

        code.Load(Pair, At(nameof(RowsArguments.Pair)));
        code.Load(LowPlane, At(nameof(RowsArguments.LowPlane)));
        code.Load(InputScale, At(nameof(RowsArguments.InputScales)));
        code.Load(InputOffset, At(nameof(RowsArguments.InputOffsets)));
        code.Load(Count, At(nameof(RowsArguments.PairCount)));
        for (int row = 0; row < rowCount; row++)
        {
            code.Load(Inputs[row], At($"X{row}"));
            code.Vector(VectorInstruction.Xor, FirstTotal + row, FirstTotal + row, FirstTotal + row);
        }

        WriteConstants();
        int noPair = code.JumpIfZero(Count);
        int start = code.Here;
        CacheLine.WritePrefetchStream(code, Pair, 0);
        WriteBlock(header: 0, PackedLayout.HeaderBytes, block: 0);
        WriteBlock(SecondHeader, PackedLayout.HeaderBytes + BlockBytes, block: 1);
        code.Add(Pair, PackedLayout.HeaderBytes + (2 * BlockBytes));
        for (int row = 0; row < rowCount; row++)
        {
            code.Add(Inputs[row], 2 * InputBlockBytes);
        }

        // Scales and offsets are counted from the codes, which have gone on farther.
        code.Add(InputScale, 2 * (sizeof(float) - InputBlockBytes));
        code.Add(InputOffset, 2 * (sizeof(float) - InputBlockBytes));
        code.CountDown(Count, start);

        code.Land(noPair);
        code.Load(Count, At(nameof(RowsArguments.IsOdd)));
        int noBlock = code.JumpIfZero(Count);
        WriteBlock(header: 0, PackedLayout.HeaderBytes, block: 0);
        code.Land(noBlock);
        WriteEnd();
    }

    /// <summary>Puts into registers what does not change.</summary>
    protected virtual void WriteConstants()
    {
    }

    /// <summary>Adds what a block gives to the totals.</summary>
    /// <param name="header">Where its scales lie, counted from the pair.</param>
    /// <param name="codes">Where its codes lie, counted from the pair.</param>
    /// <param name="block">Which block of the pair it is.</param>
    protected abstract void WriteBlock(int header, int codes, int block);

    /// <summary>Four bytes of a row's codes, counted from those of the pair.</summary>
    protected static MachineMemory Input(int row, int place, MachineRegister? plane = null) => new(Inputs[row], place, plane);

    /// <summary>A row's scale or offset of a block.</summary>
    protected static MachineMemory InputStatistic(int row, MachineRegister statistic, int block) =>
        new(Inputs[row], block * sizeof(float), statistic);

    protected static MachineMemory At(string field) => new(Arguments, (int)Marshal.OffsetOf<RowsArguments>(field));

    protected void WritePrefetch(int codes)
    {
        CacheLine.WritePrefetchPath(code, Pair, codes);
        for (int line = 0; line < BlockBytes; line += CacheLine.ByteCount)
        {
            CacheLine.WritePrefetchStream(code, Pair, codes + line);
        }
    }

    protected void ClearSums(int count)
    {
        for (int i = 0; i < count; i++)
        {
            code.Vector(VectorInstruction.Xor, FirstSum + i, FirstSum + i, FirstSum + i);
        }
    }

    private static MachineMemory KeptAt(int i) =>
        new(Arguments, (int)Marshal.OffsetOf<RowsArguments>(nameof(RowsArguments.Kept)) + (i * sizeof(long)));

    private void WriteEnd()
    {
        code.Load(Pair, At(nameof(RowsArguments.RowScales)));
        code.Load(LowPlane, At(nameof(RowsArguments.Output)));
        for (int row = 0; row < rowCount; row++)
        {
            if (HasRowScales)
            {
                code.Vector(VectorInstruction.MultiplyFloats, FirstTotal + row, FirstTotal + row, new MachineMemory(Pair));
            }

            MachineMemory output = new(LowPlane, row * PackedLayout.TileRows * sizeof(float));
            code.Vector(VectorInstruction.Store, FirstTotal + row, output);
        }

        for (int i = 0; i < Kept.Length; i++)
        {
            code.Load(Kept[i], KeptAt(i));
        }

        code.Return();
    }
}
