using System.Runtime.InteropServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>
/// Writes <see cref="PanelKernel{TSimd,TVector,TIntegers,TInteger}.FourTiles"/> with the instructions that multiply and add in one.
/// </summary>
/// <remarks>
/// The sums of a block are registers 16 to 31, four tiles by four rows; 0 to 5 are all others that no convention gives to the
/// caller. The stack is not touched. Codes of <see cref="ScaledByteDot"/> are those of <see cref="VnniPanel"/>: their bias is
/// taken off by what the sums begin with, so that nothing has to be done about zero points, for which processors that multiply on
/// two of their ports have no time.
/// </remarks>
internal static class PanelCode
{
    private const int RowGroup = VnniKernels.RowGroup;
    private const int FirstSum = 16;
    private const int FirstInput = 0;
    private const int Weights = 4;
    private const int Scales = 0;
    private const int Offsets = 1;
    private const int FirstTotal = 2;
    private const int SumBytes = PackedLayout.TileRows * sizeof(float);

    private const MachineRegister Codes = MachineRegister.Rcx;
    private const MachineRegister BlockScales = MachineRegister.Rdx;
    private const MachineRegister BlockOffsets = MachineRegister.R8;
    private const MachineRegister Totals = MachineRegister.R9;
    private const MachineRegister BlocksLeft = MachineRegister.R10;
    private const MachineRegister Column = MachineRegister.R11;
    private const MachineRegister InputScale = MachineRegister.R13;
    private const MachineRegister InputOffset = MachineRegister.R14;

    private static readonly MachineRegister[] Inputs =
        [MachineRegister.Rbx, MachineRegister.Rsi, MachineRegister.Rdi, MachineRegister.R12];

    /// <summary>Writes the kernel; its only argument is the address of <see cref="PanelArguments"/>.</summary>
    public static void Write<TDot>(MachineCodeWriter code, MachineRegister argument)
        where TDot : struct, IPanelDot
    {
        MachineFrame frame = new(code, [.. Inputs, InputScale, InputOffset], OffsetOf(nameof(PanelArguments.Kept)));
        frame.Open(argument);
        code.Load(Codes, At(nameof(PanelArguments.Codes)));
        code.Load(BlockScales, At(nameof(PanelArguments.Scales)));
        code.Load(BlockOffsets, At(nameof(PanelArguments.Offsets)));
        code.Load(Totals, At(nameof(PanelArguments.Sums)));
        code.Load(BlocksLeft, At(nameof(PanelArguments.BlockCount)));
        code.Load(InputScale, At(nameof(PanelArguments.InputScales)));
        code.Load(InputOffset, At(nameof(PanelArguments.InputOffsets)));
        for (int row = 0; row < RowGroup; row++)
        {
            code.Load(Inputs[row], At(nameof(PanelArguments.Inputs), row));
        }

        ClearTotals(code);
        code.Clear(Column);
        int start = code.Here;
        WriteProducts<TDot>(code);
        for (int tile = 0; tile < WeightPanel.TileCount; tile++)
        {
            WriteTotals<TDot>(code, tile);
        }

        code.Add(Codes, WeightPanel.TileCount * TDot.ChunkCount * WeightPanel.ChunkBytes);
        code.Add(BlockScales, WeightPanel.ScalesPerBlock * sizeof(float));
        code.Add(BlockOffsets, WeightPanel.ScalesPerBlock * sizeof(float));
        code.Add(Column, TDot.ChunkCount * sizeof(int));
        code.Add(InputScale, sizeof(float));
        code.Add(InputOffset, sizeof(float));
        code.Add(BlocksLeft, -1);
        code.JumpUnlessZero(BlocksLeft, start);
        frame.Close();
    }

    private static void ClearTotals(MachineCodeWriter code)
    {
        code.Vector(VectorInstruction.Xor, FirstTotal, FirstTotal, FirstTotal);
        for (int i = 0; i < WeightPanel.TileCount * RowGroup; i++)
        {
            code.Vector(VectorInstruction.Store, FirstTotal, new MachineMemory(Totals, i * SumBytes));
        }
    }

    private static void WriteProducts<TDot>(MachineCodeWriter code)
        where TDot : struct, IPanelDot
    {
        VectorInstruction multiplyAdd =
            TDot.HasByteCodes ? VectorInstruction.AddByteProducts : VectorInstruction.AddShortProducts;
        for (int i = 0; i < WeightPanel.TileCount * RowGroup; i++)
        {
            if (HasBias<TDot>())
            {
                MachineMemory biasSum = new(Inputs[i % RowGroup], 0, InputOffset);
                code.Vector(VectorInstruction.Broadcast, FirstSum + i, biasSum);
            }
            else
            {
                code.Vector(VectorInstruction.Xor, FirstSum + i, FirstSum + i, FirstSum + i);
            }
        }

        for (int chunk = 0; chunk < TDot.ChunkCount; chunk++)
        {
            for (int row = 0; row < RowGroup; row++)
            {
                code.Vector(
                    VectorInstruction.Broadcast, FirstInput + row, new MachineMemory(Inputs[row], chunk * sizeof(int), Column));
            }

            for (int tile = 0; tile < WeightPanel.TileCount; tile++)
            {
                int weights = Weights + (tile & 1);
                int place = ((tile * TDot.ChunkCount) + chunk) * WeightPanel.ChunkBytes;
                code.Vector(VectorInstruction.Load, weights, new MachineMemory(Codes, place));
                for (int row = 0; row < RowGroup; row++)
                {
                    code.Vector(multiplyAdd, SumOf(tile, row), weights, FirstInput + row);
                }
            }
        }
    }

    // The operations of PanelKernel.AddScaled in their order. With a bias the sum has the zero point in it already, and its product
    // with the scale is what the multiplication and addition gives there, rounded once.
    private static void WriteTotals<TDot>(MachineCodeWriter code, int tile)
        where TDot : struct, IPanelDot
    {
        code.Vector(VectorInstruction.Load, Scales, new MachineMemory(BlockScales, tile * SumBytes));
        if (HasOffsets<TDot>())
        {
            code.Vector(VectorInstruction.Load, Offsets, new MachineMemory(BlockOffsets, tile * SumBytes));
        }

        for (int row = 0; row < RowGroup; row++)
        {
            int sum = SumOf(tile, row);
            int total = FirstTotal + row;
            MachineMemory stored = new(Totals, ((tile * RowGroup) + row) * SumBytes);
            MachineMemory inputScale = new(Inputs[row], 0, InputScale);
            code.Vector(VectorInstruction.Load, total, stored);
            code.Vector(VectorInstruction.ToFloat, sum, sum);
            if (TDot.HasIntegerScales)
            {
                code.Vector(VectorInstruction.MultiplyFloats, sum, sum, Scales);
                code.Vector(VectorInstruction.MultiplyAddFloats, total, sum, inputScale, isBroadcast: true);
            }
            else
            {
                if (TDot.HasInputScales)
                {
                    code.Vector(VectorInstruction.MultiplyFloats, sum, sum, inputScale, isBroadcast: true);
                }

                code.Vector(VectorInstruction.MultiplyAddFloats, total, sum, Scales);
            }

            if (HasOffsets<TDot>())
            {
                MachineMemory inputOffset = new(Inputs[row], 0, InputOffset);
                code.Vector(VectorInstruction.MultiplyAddFloats, total, Offsets, inputOffset, isBroadcast: true);
            }

            code.Vector(VectorInstruction.Store, total, stored);
        }
    }

    private static bool HasBias<TDot>()
        where TDot : struct, IPanelDot => TDot.HasIntegerScales;

    private static bool HasOffsets<TDot>()
        where TDot : struct, IPanelDot => TDot.HasOffsets && !HasBias<TDot>();

    private static int SumOf(int tile, int row) => FirstSum + (tile * RowGroup) + row;

    private static MachineMemory At(string field, int index = 0) =>
        new(MachineFrame.Arguments, OffsetOf(field) + (index * sizeof(long)));

    private static int OffsetOf(string field) => (int)Marshal.OffsetOf<PanelArguments>(field);
}
