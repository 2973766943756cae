using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Writes products of one row of activations or four with packed tiles that follow each other, read where they lie.</summary>
/// <remarks>
/// Registers 0 to 5 and 16 to 31 are those that no convention gives to the caller; the stack is not touched. Each block begins sums
/// of its own, so that the processor goes on with the next block while it waits for them.
/// </remarks>
internal abstract class RowsCode(MachineCodeWriter code, int rowCount)
{
    protected const MachineRegister Pair = MachineRegister.Rcx;
    protected const MachineRegister LowPlane = MachineRegister.R11;
    protected const MachineRegister InputScale = MachineRegister.Rbx;
    protected const MachineRegister InputOffset = MachineRegister.Rsi;

    /// <summary>The first of the registers with what rows add up, which only the end of a tile writes to memory.</summary>
    protected const int FirstTotal = 2;

    /// <summary>The first of the registers with the sums of a block, two for each row.</summary>
    protected const int FirstSum = 16;

    /// <summary>The first of eight registers with weights.</summary>
    protected const int FirstWeights = 24;

    private const MachineRegister Count = MachineRegister.Rdi;
    private const int SecondHeader = PackedLayout.HeaderBytes / 2;

    private static readonly MachineRegister[] Inputs =
        [MachineRegister.Rdx, MachineRegister.R8, MachineRegister.R9, MachineRegister.R10];

    protected MachineCodeWriter Code => code;

    protected int RowCount => rowCount;

    /// <summary>Bytes of the codes of a block.</summary>
    protected abstract int BlockBytes { get; }

    /// <summary>Bytes of a row's codes in a block, which lie in a row.</summary>
    protected abstract int InputBlockBytes { get; }

    /// <summary>Bytes before the first pair of a tile, with a float for each row by which its sum is multiplied in the end, if any.</summary>
    protected abstract int RowScaleBytes { get; }

    /// <summary>Writes the kernel; its only argument is the address of <see cref="RowsArguments"/>.</summary>
    public void Write(MachineRegister argument)
    {
        MachineFrame frame = new(code, [InputScale, InputOffset, Count], OffsetOf(nameof(RowsArguments.Kept)));
        frame.Open(argument);
        WriteConstants();
        int start = code.Here;
        WriteTile();
        WriteTotals();
        code.Load(Count, At(nameof(RowsArguments.TileCount)));
        code.Add(Count, -1);
        code.Store(At(nameof(RowsArguments.TileCount)), Count);
        code.JumpUnlessZero(Count, start);
        frame.Close();
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

    protected static MachineMemory At(string field, int index = 0) =>
        new(MachineFrame.Arguments, OffsetOf(field) + (index * sizeof(long)));

    protected void WritePrefetch(int codes)
    {
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

    private static int OffsetOf(string field) => (int)Marshal.OffsetOf<RowsArguments>(field);

    private void WriteTile()
    {
        code.Load(Pair, At(nameof(RowsArguments.Tile)));
        code.Add(Pair, RowScaleBytes);
        code.Load(LowPlane, At(nameof(RowsArguments.LowPlane)));
        code.Load(InputScale, At(nameof(RowsArguments.InputScales)));
        code.Load(InputOffset, At(nameof(RowsArguments.InputOffsets)));
        for (int row = 0; row < rowCount; row++)
        {
            code.Load(Inputs[row], At(nameof(RowsArguments.Inputs), row));
            code.Vector(VectorInstruction.Xor, FirstTotal + row, FirstTotal + row, FirstTotal + row);
        }

        code.Load(Count, At(nameof(RowsArguments.PairCount)));
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
        code.Add(Count, -1);
        code.JumpUnlessZero(Count, start);

        code.Land(noPair);
        code.Load(Count, At(nameof(RowsArguments.IsOdd)));
        int noBlock = code.JumpIfZero(Count);
        WriteBlock(header: 0, PackedLayout.HeaderBytes, block: 0);
        code.Land(noBlock);
    }

    // Writes the totals of a tile and goes on to the next, which begins with all registers anew: some serve otherwise here.
    private void WriteTotals()
    {
        MachineRegister tile = Pair;
        MachineRegister output = LowPlane;
        code.Load(tile, At(nameof(RowsArguments.Tile)));
        code.Load(output, At(nameof(RowsArguments.Output)));
        for (int row = 0; row < rowCount; row++)
        {
            if (RowScaleBytes > 0)
            {
                code.Vector(VectorInstruction.MultiplyFloats, FirstTotal + row, FirstTotal + row, new MachineMemory(tile));
            }

            MachineMemory place = new(output, row * PackedLayout.TileRows * sizeof(float));
            code.Vector(VectorInstruction.Store, FirstTotal + row, place);
        }

        code.Add(tile, At(nameof(RowsArguments.TileBytes)));
        code.Store(At(nameof(RowsArguments.Tile)), tile);
        code.Add(output, rowCount * PackedLayout.TileRows * sizeof(float));
        code.Store(At(nameof(RowsArguments.Output)), output);
    }
}
