using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Tensors;

public sealed unsafe class PackedRowsTests
{
    [Theory]
    [InlineData(DataType.PackedQ4, 32)]
    [InlineData(DataType.PackedQ4, 96)]
    [InlineData(DataType.PackedQ8, 32)]
    [InlineData(DataType.PackedQ8, 128)]
    public void Read_RowsOfSeveralTiles_GivesTheValuesOfTheLayout(DataType type, int columns)
    {
        byte[] data =
        [
            .. PackedTile.Encode(type, WeightSamples.Draw("Gaussian", 16 * columns, seed: 1)).Bytes,
            .. PackedTile.Encode(type, WeightSamples.Draw("Laplace", 16 * columns, seed: 2)).Bytes,
        ];
        float[] rows = new float[19 * columns];

        fixed (byte* source = data)
        fixed (float* destination = rows)
        {
            PackedRows.Read(type, source, columns, firstRow: 11, rowCount: 19, destination);

            for (int i = 0; i < rows.Length; i++)
            {
                Assert.Equal(PackedLayout.Read(type, source, columns, 11 + (i / columns), i % columns), rows[i]);
            }
        }
    }

    [Fact]
    public void FindUnusable_AnyPosition_FindsTheFirst()
    {
        foreach (float wrong in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, PackedValues.Limit, -2e30f })
        {
            for (int at = 0; at < 50; at++)
            {
                float[] values = new float[50];
                values.AsSpan(at).Fill(wrong);
                fixed (float* data = values)
                {
                    Assert.Equal(at, PackedValues.FindUnusable(data, values.Length));
                    Assert.Equal(-1, PackedValues.FindUnusable(data, at));
                }
            }
        }
    }
}
