using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Kernels.Tests;

/// <summary>Stored matrices brought to the GPU and multiplied there.</summary>
public sealed class WeightUploadTests
{
    [Theory]
    [InlineData(DataType.PackedQ4, 96, 32, 80)]
    [InlineData(DataType.PackedQ8, 160, 16, 48)]
    [InlineData(DataType.Float8E4M3, 272, 130, 20)]
    [InlineData(DataType.Float8E4M3, 16, 5, 3)]
    public void Matrix_PartsOfOneType_MultiplyAsTheyAreStored(DataType type, int columns, int rows, int moreRows)
    {
        using TestDevice device = new();
        using StoredMatrix first = new(new Samples(), type, rows, columns);
        using StoredMatrix second = new(new Samples(1), type, moreRows, columns);
        using CudaStaging staging = new(device.Device, device.Stream);
        using CudaWeights weights = new(device.Device, staging);
        weights.Expect([first.Tensor, second.Tensor]);

        CudaMatrixPart part = Assert.Single(weights.Matrix([first.Tensor, second.Tensor]));

        Assert.Equal((0, rows + moreRows), (part.FirstRow, part.RowCount));
        double[][] expected = [.. first.Rows, .. second.Rows];
        AssertProducts(device, part, expected, columns);
    }

    [Fact]
    public void Matrix_PartsOfSeveralTypes_AreKeptApart()
    {
        using TestDevice device = new();
        Samples samples = new();
        using StoredMatrix first = new(samples, DataType.Float8E4M3, 40, 64);
        using StoredMatrix second = new(samples, DataType.BFloat16, 9, 64);
        using StoredMatrix third = new(samples, DataType.BFloat16, 3, 64);
        using StoredMatrix fourth = new(samples, DataType.PackedQ8, 16, 64);
        using CudaStaging staging = new(device.Device, device.Stream);
        using CudaWeights weights = new(device.Device, staging);

        CudaMatrixPart[] parts = weights.Matrix([first.Tensor, second.Tensor, third.Tensor, fourth.Tensor]);

        Assert.Equal(
            [(CudaFormat.Float8, 0, 40), (CudaFormat.BFloat16, 40, 12), (CudaFormat.Packed8, 52, 16)],
            parts.Select(part => (part.Format, part.FirstRow, part.RowCount)));
        double[][] rows = [.. first.Rows, .. second.Rows, .. third.Rows, .. fourth.Rows];
        foreach (CudaMatrixPart part in parts)
        {
            AssertProducts(device, part, rows[part.FirstRow..(part.FirstRow + part.RowCount)], 64);
        }
    }

    [Fact]
    public void Matrix_CodeThatIsNoNumber_MakesItsRowNone()
    {
        using TestDevice device = new();
        using StoredMatrix stored = new(new Samples(), DataType.Float8E4M3, 6, 144);
        stored.SetCode((2 * 144) + 130, 0xFF);
        stored.SetCode((4 * 144) + 1, 0x7F);
        using CudaStaging staging = new(device.Device, device.Stream);
        using CudaWeights weights = new(device.Device, staging);
        CudaMatrixPart part = Assert.Single(weights.Matrix([stored.Tensor]));

        float[] products = Multiply(device, part, new Samples(2).Floats(144));

        Assert.Equal([false, false, true, false, true, false], products.Select(float.IsNaN));
    }

    [Fact]
    public void PlainMatrix_Float8_IsRoundedToBFloat16()
    {
        using TestDevice device = new();
        using StoredMatrix stored = new(new Samples(), DataType.Float8E4M3, 7, 48);
        using CudaStaging staging = new(device.Device, device.Stream);
        using CudaWeights weights = new(device.Device, staging);

        CudaMatrixPart part = weights.PlainMatrix(stored.Tensor);

        Assert.Equal(CudaFormat.BFloat16, part.Format);
        double[][] rounded = [.. stored.Rows.Select(row => row.Select(Round).ToArray())];
        AssertProducts(device, part, rounded, 48);
    }

    [Fact]
    public void Matrix_ExpertsOfSeveralTypes_AreRefused()
    {
        using TestDevice device = new();
        using StoredMatrix first = new(new Samples(), DataType.PackedQ4, 16, 32);
        using StoredMatrix second = new(new Samples(), DataType.PackedQ8, 16, 32);
        using CudaStaging staging = new(device.Device, device.Stream);
        using CudaWeights weights = new(device.Device, staging);

        NotSupportedException exception =
            Assert.Throws<NotSupportedException>(() => weights.Matrix([first.Tensor, second.Tensor], matrixCount: 2));

        Assert.Contains("take all experts of a layer in one type", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Matrix_Float8RowsThatAreNoWholeLoads_AreRefused()
    {
        using TestDevice device = new();
        using StoredMatrix stored = new(new Samples(), DataType.Float8E4M3, 2, 24);
        using CudaStaging staging = new(device.Device, device.Stream);
        using CudaWeights weights = new(device.Device, staging);

        NotSupportedException exception = Assert.Throws<NotSupportedException>(() => weights.Matrix([stored.Tensor]));

        Assert.Contains("take rows of a multiple of 16 values in it, not of 24", exception.Message, StringComparison.Ordinal);
        Assert.False(CudaBackends.Takes(stored.Tensor));
    }

    private static double Round(double value)
    {
        uint bits = BitConverter.SingleToUInt32Bits((float)value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }

    private static void AssertProducts(TestDevice device, CudaMatrixPart part, double[][] rows, int columns)
    {
        float[] input = new Samples(2).Floats(columns);

        float[] actual = Multiply(device, part, input);

        Exact.AssertClose([.. rows.Select(row => row.Select((weight, c) => weight * input[c]).Sum())], actual);
    }

    private static float[] Multiply(TestDevice device, CudaMatrixPart part, float[] input)
    {
        DeviceBuffer output = device.Reserve<float>(part.RowCount);
        ProjectArguments arguments = new()
        {
            Input = device.Upload(input).Address,
            Norm = 0,
            Weight = part.Matrix,
            Rows = 0,
            Output = output.Address,
            Columns = input.Length,
            Outputs = part.RowCount,
            OutputStride = part.RowCount,
            Tokens = 1,
            Adds = 0,
            Epsilon = 0,
        };
        device.Run(() => device.Kernels.Project(device.Stream, arguments, part.Format));
        return output.Read<float>();
    }

    /// <summary>Random values stored in a type by the converter that packs models.</summary>
    private sealed unsafe class StoredMatrix : IDisposable
    {
        private readonly NativeBuffer _memory;

        public StoredMatrix(Samples samples, DataType type, int rows, int columns)
        {
            float[] values = samples.Floats(rows * columns, 2 / MathF.Sqrt(columns));
            _memory = new NativeBuffer(RowConverter.ByteCount(type, rows, columns));
            using RowConverter converter = new();
            fixed (float* source = values)
            {
                StoredTensor plain = new("a test", DataType.Float32, new Shape(rows, columns), (byte*)source, "memory");
                converter.Convert(plain, type, 0, rows, _memory.Data);
            }

            Tensor = new StoredTensor("a test", type, new Shape(rows, columns), _memory.Data, "memory");
            if (type == DataType.Float8E4M3)
            {
                Shape blocks = Float8Scales.BlockShape(Tensor.Shape);
                Tensor = Tensor.WithScales(
                    new StoredTensor("scales", DataType.Float32, blocks, _memory.Data + Tensor.ByteCount, "memory"));
            }

            float[] read = new float[values.Length];
            fixed (float* target = read)
            {
                StoredRows.Read(Tensor, 0, rows, target);
            }

            Rows = [.. read.Chunk(columns).Select(row => row.Select(value => (double)value).ToArray())];
        }

        public StoredTensor Tensor { get; }

        public double[][] Rows { get; }

        public void SetCode(int index, byte code) => Tensor.Data[index] = code;

        public void Dispose() => _memory.Dispose();
    }
}
