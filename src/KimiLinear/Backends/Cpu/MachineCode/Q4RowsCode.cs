using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>
/// The operations of <see cref="PackedQ4Kernel{TSimd,TVector,TIntegers,TInteger}"/> with the instruction that multiplies and adds in
/// one.
/// </summary>
/// <remarks>
/// Upper halves of bytes stay where they are: their sums count in sixteenths, which costs one shift for a block, not one for each
/// chunk. Of two planes the high one is added first and shifted, so that both need the same registers; a single row has some to
/// spare, and sums of its own for each plane, which wait for each other half as long.
/// </remarks>
internal sealed class Q4RowsCode(MachineCodeWriter code, int rowCount, bool hasLowPlane) : RowsCode(code, rowCount)
{
    private const int LowerHalves = 0;
    private const int UpperHalves = 1;

    // When all products are done, registers of weights are free.
    private const int Scales = FirstWeights;
    private const int Zeros = FirstWeights + 1;

    private const int LowSums = FirstSum + 2;

    private const int ChunkCount = PackedLayout.Q4BlockBytes / PackedLayout.ChunkBytes;

    protected override int BlockBytes => PackedLayout.Q4BlockBytes;

    protected override int InputBlockBytes => PackedLayout.BlockColumns;

    protected override int RowScaleBytes => PackedLayout.RowScaleBytes;

    private bool HasOwnLowSums => hasLowPlane && RowCount == 1;

    protected override void WriteConstants()
    {
        Code.Vector(VectorInstruction.Broadcast, LowerHalves, At(nameof(RowsArguments.LowerHalves)));
        Code.Vector(VectorInstruction.Broadcast, UpperHalves, At(nameof(RowsArguments.UpperHalves)));
    }

    protected override void WriteBlock(int header, int codes, int block)
    {
        if (block == 0)
        {
            CacheLine.WritePrefetchPath(Code, Pair, 0);
        }

        WritePrefetch(codes);
        ClearSums(HasOwnLowSums ? 4 : 2 * RowCount);
        for (int chunk = 0; chunk < ChunkCount; chunk++)
        {
            MachineMemory bytes = new(Pair, codes + (chunk * PackedLayout.ChunkBytes));
            Code.Vector(VectorInstruction.And, FirstWeights + (2 * chunk), LowerHalves, bytes);
            Code.Vector(VectorInstruction.And, FirstWeights + (2 * chunk) + 1, UpperHalves, bytes);
            WriteProducts(FirstSum, chunk, block, plane: null);
            if (HasOwnLowSums)
            {
                WriteProducts(LowSums, chunk, block, LowPlane);
            }
        }

        if (hasLowPlane)
        {
            JoinPlanes(block);
        }

        WriteTotals(header, block);
    }

    // 256 · high + low
    private void JoinPlanes(int block)
    {
        const int PlaneBits = 8;
        for (int i = 0; i < 2 * RowCount; i++)
        {
            Code.ShiftLeftBy(FirstSum + i, PlaneBits);
        }

        for (int chunk = 0; !HasOwnLowSums && chunk < ChunkCount; chunk++)
        {
            WriteProducts(FirstSum, chunk, block, LowPlane);
        }

        for (int half = 0; HasOwnLowSums && half < 2; half++)
        {
            Code.Vector(VectorInstruction.Add, FirstSum + half, FirstSum + half, LowSums + half);
        }
    }

    private void WriteProducts(int sums, int chunk, int block, MachineRegister? plane)
    {
        int place = (block * PackedLayout.BlockColumns) + (chunk * 2 * sizeof(int));
        for (int row = 0; row < RowCount; row++)
        {
            for (int half = 0; half < 2; half++)
            {
                Code.Vector(
                    VectorInstruction.AddByteProducts,
                    sums + (2 * row) + half,
                    FirstWeights + (2 * chunk) + half,
                    Input(row, place + (half * sizeof(int)), plane),
                    isBroadcast: true);
            }
        }
    }

    // In the order of PackedQ4Kernel.AddScaled, as far as it matters: integers are exact in any.
    private void WriteTotals(int header, int block)
    {
        Code.Vector(VectorInstruction.WidenBytes, Scales, new MachineMemory(Pair, header));
        Code.Vector(VectorInstruction.WidenBytes, Zeros, new MachineMemory(Pair, header + PackedLayout.TileRows));
        Code.Vector(VectorInstruction.MultiplyPairs, Zeros, Zeros, Scales);
        Code.Vector(VectorInstruction.ToFloat, Zeros, Zeros);
        Code.Vector(
            VectorInstruction.MultiplyFloats, Zeros, Zeros, At(nameof(RowsArguments.ZeroStep)), isBroadcast: true);
        for (int row = 0; row < RowCount; row++)
        {
            const int HalfBits = 4;
            int sum = FirstSum + (2 * row);
            int total = FirstTotal + row;
            Code.ShiftRightSignedBy(sum + 1, HalfBits);
            Code.Vector(VectorInstruction.Add, sum, sum, sum + 1);
            Code.Vector(VectorInstruction.Multiply, sum, sum, Scales);
            Code.Vector(VectorInstruction.ToFloat, sum, sum);
            MachineMemory scale = InputStatistic(row, InputScale, block);
            MachineMemory offset = InputStatistic(row, InputOffset, block);
            if (!hasLowPlane)
            {
                Code.Vector(VectorInstruction.MultiplyAddFloats, sum, Zeros, offset, isBroadcast: true);
            }

            Code.Vector(VectorInstruction.MultiplyAddFloats, total, sum, scale, isBroadcast: true);
            if (hasLowPlane)
            {
                Code.Vector(VectorInstruction.MultiplyAddFloats, total, Zeros, offset, isBroadcast: true);
            }
        }
    }
}
