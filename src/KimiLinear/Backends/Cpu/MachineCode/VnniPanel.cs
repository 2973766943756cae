using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Unpacks tiles of <see cref="DataType.PackedQ4"/> for <see cref="VnniKernels"/>.</summary>
/// <remarks>
/// A code of the panel is 8 · (code − zero) + 128, which a byte without a sign holds, because stored zero points are multiples of
/// an eighth. So no offset is needed, and where a row of activations has the sum Σ over a block, what the bias adds is 128 · Σ for
/// all rows of weights alike. The eighth is in the scales.
/// </remarks>
internal static unsafe class VnniPanel
{
    /// <summary>What is added to the codes.</summary>
    public const int CodeBias = 128;

    // A step of a stored code is eight of a code of the panel, and two of a stored zero point, as it is even, are one.
    private const int StepBits = 3;
    private const int ZeroBits = 1;
    private const byte StepMask = PackedLayout.MaxQ4Code << StepBits;
    private const int ByteInLane = 0x01010101;

    /// <summary>Unpacks one tile; a panel has no offsets then.</summary>
    /// <param name="source">The tile.</param>
    /// <param name="panel">Receives it.</param>
    /// <param name="tile">Where in the panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public static void UnpackQ4(byte* source, WeightPanel panel, int tile)
    {
        int row = tile * PackedLayout.TileRows;
        Vector512.Load((float*)source).Store(panel.RowScales + row);
        Vector512<byte> mask = Vector512.Create(StepMask);
        for (int block = 0; block < panel.BlockCount; block++)
        {
            byte* header = source + PackedLayout.HeaderOffset(DataType.PackedQ4, block)
                + (block % 2 * (PackedLayout.HeaderBytes / 2));
            Vector512<float> scale = Vector512.ConvertToSingle(Widen(header));
            (scale * (1f / (1 << StepBits))).Store(panel.Scales + ((long)block * WeightPanel.ScalesPerBlock) + row);
            Vector512<int> stored = Widen(header + PackedLayout.TileRows);
            Debug.Assert((stored & Vector512<int>.One) == Vector512<int>.Zero, "Zero points are even.");
            Vector512<int> zero = stored >> ZeroBits;
            Vector512<byte> bias = ((Vector512.Create(CodeBias) - zero) * ByteInLane).AsByte();
            byte* from = source + PackedLayout.CodesOffset(DataType.PackedQ4, block);
            byte* to = panel.TileCodes(block, tile);
            for (int chunk = 0; chunk < PackedLayout.Q4BlockBytes / WeightPanel.ChunkBytes; chunk++)
            {
                Vector512<ushort> bytes = Vector512.Load((ushort*)(from + (chunk * WeightPanel.ChunkBytes)));
                Vector512<byte> lower = (bytes << StepBits).AsByte() & mask;
                Vector512<byte> upper = (bytes >> (4 - StepBits)).AsByte() & mask;
                (lower + bias).Store(to + (2 * chunk * WeightPanel.ChunkBytes));
                (upper + bias).Store(to + (((2 * chunk) + 1) * WeightPanel.ChunkBytes));
            }
        }
    }

    // 16 bytes, a lane for each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Widen(byte* bytes)
    {
        Vector256<ushort> words = Vector256.WidenLower(Vector128.Load(bytes).ToVector256Unsafe());
        return Vector512.WidenLower(words.ToVector512Unsafe()).AsInt32();
    }
}
