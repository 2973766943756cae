using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>What packing a model will write: every tensor the model needs, in files of bounded size.</summary>
/// <param name="Shards">The files, in the order of the forward pass.</param>
/// <param name="Fingerprint">Tells one undertaking from another: source, format and division into files.</param>
internal sealed record PackPlan(IReadOnlyList<PlannedShard> Shards, string Fingerprint)
{
    // Part of the fingerprint; to be raised when the same source gives other bytes.
    private const int Version = 1;

    // Content enters the fingerprint by samples: reading all of it would take as long as packing.
    private const int MaxSamples = 1024;
    private const int SampleBytes = 64;

    public IEnumerable<PlannedTensor> Tensors => Shards.SelectMany(shard => shard.Tensors);

    /// <summary>Bytes of source in all.</summary>
    public long SourceBytes => Shards.Sum(shard => shard.SourceBytes);

    /// <summary>Bytes of tensors that will be written in all.</summary>
    public long TotalBytes => Shards.Sum(shard => shard.ByteCount);

    /// <summary>Plans for a checkpoint that fits the configuration; what the model does not need is left out.</summary>
    public static PackPlan Create(Checkpoint checkpoint, KimiLinearConfig config, WeightFormat format, long maxShardBytes)
    {
        PlannedTensor[] tensors =
        [
            .. CheckpointSchema.Expected(config)
                .Select(expected => checkpoint.Get(expected.Name))
                .Select(source => new PlannedTensor(source, PackingRecipe.TargetType(format, source))),
        ];
        List<List<PlannedTensor>> groups = Divide(tensors, maxShardBytes);
        PlannedShard[] shards =
        [
            .. groups.Select((group, index) => new PlannedShard(
                string.Create(
                    CultureInfo.InvariantCulture, $"model-{index + 1:D5}-of-{groups.Count:D5}.safetensors"),
                InFileOrder(group))),
        ];
        return new PackPlan(shards, FingerprintOf(tensors, format, maxShardBytes));
    }

    private static List<List<PlannedTensor>> Divide(PlannedTensor[] tensors, long maxShardBytes)
    {
        List<List<PlannedTensor>> groups = [];
        long room = 0;
        foreach (PlannedTensor tensor in tensors)
        {
            if (groups.Count == 0 || tensor.ByteCount > room)
            {
                groups.Add([]);
                room = maxShardBytes;
            }

            groups[^1].Add(tensor);
            room -= tensor.ByteCount;
        }

        return groups;
    }

    // Packed matrices must be aligned and are multiples of the alignment; wide values before narrow ones keeps those aligned too.
    private static PlannedTensor[] InFileOrder(List<PlannedTensor> tensors) =>
    [
        .. tensors.OrderBy(tensor => PackedLayout.IsPacked(tensor.Type) ? 0 : 1)
            .ThenByDescending(tensor => tensor.StoredType.SizeInBytes()),
    ];

    private static unsafe string FingerprintOf(PlannedTensor[] tensors, WeightFormat format, long maxShardBytes)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append($"kimi-linear pack {Version} {format} {maxShardBytes}");
        int stride = ((tensors.Length - 1) / MaxSamples) + 1;
        for (int i = 0; i < tensors.Length; i++)
        {
            StoredTensor source = tensors[i].Source;
            Append($"{source.Name} {source.DataType} {source.Shape}");
            if (i % stride == 0)
            {
                int length = (int)Math.Min(source.ByteCount, SampleBytes);
                hash.AppendData(new ReadOnlySpan<byte>(source.Data + ((source.ByteCount - length) / 2), length));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Append(FormattableString line) =>
            hash.AppendData(Encoding.UTF8.GetBytes(line.ToString(CultureInfo.InvariantCulture) + "\n"));
    }
}
