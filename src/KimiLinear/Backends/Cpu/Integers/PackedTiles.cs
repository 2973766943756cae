using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Consecutive tiles of a packed matrix.</summary>
internal readonly unsafe struct PackedTiles<TSimd, TVector, TIntegers, TInteger>(
    DataType type, byte* tiles, int columnCount, bool isForVnni)
    : IPanelSource
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TIntegers : struct, IIntegerSimd<TInteger, TVector>
    where TInteger : struct
{
    public long ScratchBytes => 0;

    public void Unpack(int index, WeightPanel panel, int tile, byte* scratch)
    {
        byte* source = tiles + (index * PackedLayout.TileBytes(type, columnCount));
        if (type == DataType.PackedQ4 && isForVnni)
        {
            VnniPanel.UnpackQ4(source, panel, tile);
        }
        else if (type == DataType.PackedQ4)
        {
            PackedPanel<TSimd, TVector, TIntegers, TInteger>.UnpackQ4(source, panel, tile);
        }
        else
        {
            PackedPanel<TSimd, TVector, TIntegers, TInteger>.UnpackQ8(source, panel, tile);
        }
    }
}
