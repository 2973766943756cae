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
    private const int Version = 2;

    // Content enters the fingerprint by samples, and by when its files were written: to read all would take as long as packing.
    private const int MaxSamples = 1024;
    private const int SampleBytes = 64;

    public IEnumerable<PlannedTensor> Tensors => Shards.SelectMany(shard => shard.Tensors);

    /// <summary>Bytes of source in all.</summary>
    public long SourceBytes => Shards.Sum(shard => shard.SourceBytes);

    /// <summary>Bytes of tensors that will be written in all.</summary>
    public long TotalBytes => Shards.Sum(shard => shard.ByteCount);

    /// <summary>The files as the journal knows them: with the hash of every source tensor.</summary>
    public IReadOnlyList<JournalFile> JournalFiles =>
        [.. Shards.Select(shard => new JournalFile(shard.FileName, [.. shard.Tensors.Select(tensor => tensor.Source.Name)]))];

    /// <summary>
    /// The SHA-256 of the source: over a line for each tensor, in ordinal order of the names, of its name, type, shape and hash.
    /// </summary>
    public string SourceHash(ShardJournal journal)
    {
        StringBuilder text = new();
        IEnumerable<StoredTensor> sources = Tensors.Select(tensor => tensor.Source);
        foreach (StoredTensor source in sources.OrderBy(source => source.Name, StringComparer.Ordinal))
        {
            _ = text.Append(
                CultureInfo.InvariantCulture,
                $"{source.Name} {source.DataType} {source.Shape} {journal.HashOf(source.Name)}\n");
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

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
        return new PackPlan(shards, FingerprintOf(checkpoint.Files, tensors, format, maxShardBytes));
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

    private static unsafe string FingerprintOf(
        IReadOnlyList<string> files, PlannedTensor[] tensors, WeightFormat format, long maxShardBytes)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append($"kimi-linear pack {Version} {format} {maxShardBytes}");
        hash.AppendData(WriteTimes.Lines(files));
        int stride = ((tensors.Length - 1) / MaxSamples) + 1;
        for (int i = 0; i < tensors.Length; i++)
        {
            StoredTensor source = tensors[i].Source;
            Append($"{source.Name} {source.DataType} {source.Shape}");
            if (i % stride == 0)
            {
                AppendSample(source);
                if (source.Scales is { } scales)
                {
                    AppendSample(scales);
                }
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void AppendSample(StoredTensor tensor)
        {
            int length = (int)Math.Min(tensor.ByteCount, SampleBytes);
            hash.AppendData(new ReadOnlySpan<byte>(tensor.Data + ((tensor.ByteCount - length) / 2), length));
        }

        void Append(FormattableString line) =>
            hash.AppendData(Encoding.UTF8.GetBytes(line.ToString(CultureInfo.InvariantCulture) + "\n"));
    }
}
