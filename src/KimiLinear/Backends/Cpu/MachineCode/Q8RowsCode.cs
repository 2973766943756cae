using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>
/// The operations of <see cref="PackedQ8Kernel{TSimd,TVector,TIntegers,TInteger}"/> with the instruction that multiplies and adds in
/// one.
/// </summary>
internal sealed class Q8RowsCode(MachineCodeWriter code, int rowCount) : RowsCode(code, rowCount)
{
    private const int Scales = 0;
    private const int ChunkCount = PackedLayout.Q8BlockBytes / PackedLayout.ChunkBytes;

    protected override int BlockBytes => PackedLayout.Q8BlockBytes;

    protected override int InputBlockBytes => 2 * PackedLayout.BlockColumns;

    protected override int RowScaleBytes => 0;

    protected override void WriteBlock(int header, int codes, int block)
    {
        const int ByteBits = 8;
        CacheLine.WritePrefetchPath(Code, Pair, codes);
        WritePrefetch(codes);
        ClearSums(2 * RowCount);
        for (int chunk = 0; chunk < ChunkCount; chunk++)
        {
            // Every other chunk has two other registers.
            int even = FirstWeights + (2 * (chunk & 1));
            int odd = even + 1;
            Code.Vector(VectorInstruction.Load, odd, new MachineMemory(Pair, codes + (chunk * PackedLayout.ChunkBytes)));
            Code.ShiftShortsLeftBy(even, odd, ByteBits);
            Code.ShiftShortsRightSignedBy(even, even, ByteBits);
            Code.ShiftShortsRightSignedBy(odd, odd, ByteBits);
            int place = (block * InputBlockBytes) + (chunk * 2 * sizeof(int));
            for (int row = 0; row < RowCount; row++)
            {
                for (int half = 0; half < 2; half++)
                {
                    Code.Vector(
                        VectorInstruction.AddShortProducts,
                        FirstSum + (2 * row) + half,
                        even + half,
                        Input(row, place + (half * sizeof(int))),
                        isBroadcast: true);
                }
            }
        }

        WriteTotals(header, block);
    }

    // In the order of PackedQ8Kernel.AddScaled, as far as it matters: integers are exact in any.
    private void WriteTotals(int header, int block)
    {
        const int UpperHalf = 16;
        Code.Vector(VectorInstruction.WidenShorts, Scales, new MachineMemory(Pair, header));
        Code.ShiftLeftBy(Scales, UpperHalf);
        for (int row = 0; row < RowCount; row++)
        {
            int sum = FirstSum + (2 * row);
            Code.Vector(VectorInstruction.Add, sum, sum, sum + 1);
            Code.Vector(VectorInstruction.ToFloat, sum, sum);
            Code.Vector(
                VectorInstruction.MultiplyFloats, sum, sum, InputStatistic(row, InputScale, block), isBroadcast: true);
            Code.Vector(VectorInstruction.MultiplyAddFloats, FirstTotal + row, sum, Scales);
        }
    }
}
