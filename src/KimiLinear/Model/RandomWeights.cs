using System.Globalization;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Makes weights of the right shapes and formats out of nothing, to measure with.</summary>
/// <remarks>They depend on the seed alone: not on the machine, nor on the number of threads.</remarks>
internal sealed class RandomWeights(KimiLinearConfig config, WeightFormat format, int seed)
{
    /// <summary>What messages call the weights, which have no folder.</summary>
    public const string Name = "random";

    // As a layer of a few taps is usually initialised: the result is as large as the input.
    private const float ConvolutionDeviation = 0.3f;

    private const float SmallDeviation = 0.01f;

    // Odd, so that the pieces of a tensor, and those of different tensors, get seeds of their own.
    private const ulong PieceSeedStep = 0xD1342543DE82EF95;

    // Every tensor begins at a cache line.
    private const long AlignmentBytes = 64;

    // Decays e^A · softplus(b) of 0.01 to 1 per token: memories of some tokens up to some hundreds.
    private static readonly (float Mean, float Deviation) DecayLog = (1, 0.5f);
    private static readonly (float Mean, float Deviation) DecayBias = (-4, 1);

    private static readonly (float Mean, float Deviation) One = (1, 0);

    /// <summary>The standard deviation of the matrices; the default is that of the published configuration's initialisation.</summary>
    public float MatrixDeviation { get; init; } = 0.02f;

    /// <summary>
    /// Whether matrices of equal shape have the same values in the same memory. It makes a large model for a device that copies
    /// its weights without the memory to hold it twice.
    /// </summary>
    public bool SharesMatrices { get; init; }

    /// <summary>Makes the weights; nothing is left behind when that fails or is cancelled.</summary>
    /// <exception cref="InsufficientMemoryException">They would take more memory than this process may use.</exception>
    public Checkpoint Create(int threadCount, IProgress<ModelLoadProgress>? progress, CancellationToken cancellationToken)
    {
        IReadOnlyList<ExpectedTensor> expected = CheckpointSchema.Expected(config);
        ExpectedTensor[] own = SharesMatrices ? [.. expected.DistinctBy(MatrixOf)] : [.. expected];
        long total = own.Sum(tensor => Align(PackingRecipe.ByteCount(format, tensor)));
        RequireMemory(total);
        List<NativeBuffer> memory = [];
        List<StoredTensor> tensors = [];
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = threadCount, CancellationToken = cancellationToken };
        try
        {
            // What belongs to one layer lies together and is used together.
            foreach (IGrouping<string, ExpectedTensor> group in own.GroupBy(tensor => GroupOf(tensor.Name)))
            {
                int first = tensors.Count;
                memory.Add(Place(group, tensors));
                for (int i = first; i < tensors.Count; i++)
                {
                    Fill(tensors[i], i, parallel);
                }

                progress?.Report(new ModelLoadProgress(memory.Sum(buffer => buffer.ByteCount), total, $"making {group.Key}"));
            }

            return Checkpoint.InMemory(Name, SharesMatrices ? Share(expected, tensors) : tensors, memory);
        }
        catch
        {
            memory.ForEach(buffer => buffer.Dispose());
            throw;
        }
    }

    // What tensors that share their values have in common; for all but matrices that is the name.
    private (string Name, DataType Type, long Rows, long Columns) MatrixOf(ExpectedTensor tensor) => tensor.Shape.Rank == 2
        ? ("", PackingRecipe.StoredTypeOf(format, tensor), tensor.Shape[0], tensor.Shape[1])
        : (tensor.Name, default, 0, 0);

    private unsafe List<StoredTensor> Share(IEnumerable<ExpectedTensor> expected, List<StoredTensor> made)
    {
        Dictionary<string, StoredTensor> byName = made.ToDictionary(tensor => tensor.Name);
        List<StoredTensor> shared = [];
        foreach (IGrouping<(string, DataType, long, long), ExpectedTensor> group in expected.GroupBy(MatrixOf))
        {
            StoredTensor first = byName[group.First().Name];
            shared.AddRange(group.Select(
                tensor => Stored(tensor.Name, first.DataType, first.Shape, first.Data)));
        }

        return shared;
    }

    private static long Align(long byteCount) => (byteCount + AlignmentBytes - 1) / AlignmentBytes * AlignmentBytes;

    private static string GroupOf(string name) =>
        WeightNames.TryParseLayer(name, out int layer, out _) ? $"layer {layer + 1}" : name;

    private static void RequireMemory(long byteCount)
    {
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (byteCount > available)
        {
            throw new InsufficientMemoryException(string.Create(
                CultureInfo.InvariantCulture,
                $"The random weights take {byteCount / 1e9:F1} GB, but this process has {available / 1e9:F1} GB of memory. "
                + $"Take fewer layers or experts, or a smaller format."));
        }
    }

    private unsafe NativeBuffer Place(IEnumerable<ExpectedTensor> group, List<StoredTensor> tensors)
    {
        NativeBuffer buffer = new(group.Sum(tensor => Align(PackingRecipe.ByteCount(format, tensor))));
        byte* at = buffer.Data;
        foreach (ExpectedTensor tensor in group)
        {
            DataType type = PackingRecipe.StoredTypeOf(format, tensor);
            StoredTensor stored = Stored(tensor.Name, type, tensor.Shape, at);
            tensors.Add(stored);
            at += Align(PackingRecipe.ByteCount(format, tensor));
        }

        return buffer;
    }

    // Scales lie behind the values.
    private static unsafe StoredTensor Stored(string name, DataType type, Shape shape, byte* data)
    {
        StoredTensor stored = new(name, type, shape, data, Name);
        return type == DataType.Float8E4M3
            ? stored.WithScales(
                new StoredTensor(name, DataType.Float32, Float8Scales.BlockShape(shape), data + stored.ByteCount, Name))
            : stored;
    }

    private void Fill(StoredTensor tensor, int index, ParallelOptions parallel)
    {
        parallel.CancellationToken.ThrowIfCancellationRequested();
        (float mean, float deviation) = DistributionOf(tensor);
        ulong firstSeed = ((ulong)(uint)seed << 32) | (uint)index;
        long pieces = RandomValues.PieceCount(tensor);
        if (pieces == 1)
        {
            RandomValues.FillPiece(tensor, 0, mean, deviation, firstSeed);
        }
        else
        {
            _ = Parallel.For(0, pieces, parallel, piece => RandomValues.FillPiece(
                tensor, piece, mean, deviation, firstSeed + ((ulong)piece * PieceSeedStep)));
        }
    }

    private (float Mean, float Deviation) DistributionOf(StoredTensor tensor)
    {
        string name = WeightNames.TryParseLayer(tensor.Name, out _, out string rest) ? rest : tensor.Name;
        return name switch
        {
            WeightNames.KimiDelta.DecayLog => DecayLog,
            WeightNames.KimiDelta.DecayBias => DecayBias,
            WeightNames.SparseMoe.ScoreCorrectionBias => (0, SmallDeviation),
            _ when tensor.Shape.Rank == 1 => One,
            _ when tensor.Shape.Rank == 2 => (0, MatrixDeviation),
            _ => (0, ConvolutionDeviation),
        };
    }
}
