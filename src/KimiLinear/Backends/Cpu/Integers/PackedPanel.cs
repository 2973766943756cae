using System.Runtime.CompilerServices;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Unpacks tiles of the packed formats into a <see cref="WeightPanel"/>.</summary>
internal static unsafe class PackedPanel<TSimd, TVector, TIntegers, TInteger>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    /// <summary>One tile of <see cref="DataType.PackedQ4"/>, for <see cref="ScaledByteDot"/>.</summary>
    /// <param name="source">The tile.</param>
    /// <param name="panel">Receives it.</param>
    /// <param name="tile">Where in the panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void UnpackQ4(byte* source, WeightPanel panel, int tile)
    {
        int lanes = TIntegers.Lanes;
        for (int lane = 0; lane < PackedLayout.TileRows; lane += lanes)
        {
            int row = (tile * PackedLayout.TileRows) + lane;
            TSimd.Store(panel.RowScales + row, TSimd.Load((float*)source + lane));
            for (int block = 0; block < panel.BlockCount; block++)
            {
                byte* header = source + PackedLayout.HeaderOffset(DataType.PackedQ4, block)
                    + (block % 2 * (PackedLayout.HeaderBytes / 2)) + lane;
                TVector scale = TIntegers.ToFloat(TIntegers.LoadBytesAsIntegers(header));
                TVector zero = TIntegers.ToFloat(TIntegers.LoadBytesAsIntegers(header + PackedLayout.TileRows));
                long place = ((long)block * WeightPanel.ScalesPerBlock) + row;
                TIntegers.Store((byte*)(panel.Scales + place), TIntegers.LoadBytesAsPairs(header));
                TSimd.Store(
                    panel.Offsets + place,
                    TSimd.Multiply(TSimd.Multiply(scale, zero), TSimd.Broadcast(1f / PackedLayout.ZeroSteps)));
                byte* from = source + PackedLayout.CodesOffset(DataType.PackedQ4, block) + (lane * sizeof(int));
                byte* to = panel.TileCodes(block, tile) + (lane * sizeof(int));
                for (int chunk = 0; chunk < PackedLayout.Q4BlockBytes / WeightPanel.ChunkBytes; chunk++)
                {
                    TInteger bytes = TIntegers.Load(from + (chunk * WeightPanel.ChunkBytes));
                    TIntegers.Store(to + (2 * chunk * WeightPanel.ChunkBytes), TIntegers.LowNibbles(bytes));
                    TIntegers.Store(to + (((2 * chunk) + 1) * WeightPanel.ChunkBytes), TIntegers.HighNibbles(bytes));
                }
            }
        }
    }

    /// <summary>One tile of <see cref="DataType.PackedQ8"/>, for <see cref="ShortDot"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void UnpackQ8(byte* source, WeightPanel panel, int tile)
    {
        int lanes = TIntegers.Lanes;
        for (int lane = 0; lane < PackedLayout.TileRows; lane += lanes)
        {
            int row = (tile * PackedLayout.TileRows) + lane;
            TSimd.Store(panel.RowScales + row, TSimd.Broadcast(1));
            for (int block = 0; block < panel.BlockCount; block++)
            {
                byte* header = source + PackedLayout.HeaderOffset(DataType.PackedQ8, block)
                    + (block % 2 * (PackedLayout.HeaderBytes / 2));
                TSimd.Store(
                    panel.Scales + ((long)block * WeightPanel.ScalesPerBlock) + row,
                    TSimd.LoadBFloat16((ushort*)header + lane));
                byte* from = source + PackedLayout.CodesOffset(DataType.PackedQ8, block) + (lane * sizeof(int));
                byte* to = panel.TileCodes(block, tile) + (lane * sizeof(int));
                for (int chunk = 0; chunk < PackedLayout.Q8BlockBytes / WeightPanel.ChunkBytes; chunk++)
                {
                    TInteger bytes = TIntegers.Load(from + (chunk * WeightPanel.ChunkBytes));
                    TIntegers.Store(to + (2 * chunk * WeightPanel.ChunkBytes), TIntegers.EvenBytes(bytes));
                    TIntegers.Store(to + (((2 * chunk) + 1) * WeightPanel.ChunkBytes), TIntegers.OddBytes(bytes));
                }
            }
        }
    }
}
