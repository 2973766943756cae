using System.Security.Cryptography;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;

namespace KimiLinear.Model;

/// <summary>Writes the weight files of a packed model that are not finished yet.</summary>
internal sealed class ShardPacker(
    PackPlan plan, ShardJournal journal, PartialFolder folder, int threadCount, IProgress<ModelPackProgress>? progress)
{
    // Readers of the published format look for this note.
    private static readonly Dictionary<string, string> Notes = new() { ["format"] = "pt" };

    /// <summary>Writes them, noting each one when it is whole.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        CopyMeter meter = new(
            plan.SourceBytes,
            plan.Shards.Where(shard => journal.IsFinished(shard.FileName)).Sum(shard => shard.SourceBytes),
            (done, total, rate, left, step) => progress?.Report(new ModelPackProgress(done, total, rate, left, step)));
        if (journal.StartsAnew)
        {
            meter.Report("starting anew, since what had been begun was of another model or format, or its files were written since");
        }

        using ConversionPipeline pipeline = new(threadCount);
        for (int i = 0; i < plan.Shards.Count; i++)
        {
            PlannedShard shard = plan.Shards[i];
            if (!journal.IsFinished(shard.FileName))
            {
                Dictionary<string, string> hashes = [];
                string step = $"packing file {i + 1} of {plan.Shards.Count}";
                Write(shard, pipeline, hashes, meter, step, cancellationToken);
                journal.Finish(shard.FileName, hashes);
                meter.Report(step);
            }
        }

        meter.Report("finishing");
    }

    private void Write(
        PlannedShard shard,
        ConversionPipeline pipeline,
        Dictionary<string, string> hashes,
        CopyMeter meter,
        string step,
        CancellationToken cancellationToken)
    {
        using SafetensorsWriter writer = new(Path.Combine(folder.PartialPath, shard.FileName), Notes);
        Dictionary<string, string> storedNames = [];
        foreach (PlannedTensor tensor in shard.Tensors)
        {
            writer.Declare(tensor.StoredName, tensor.StoredType, tensor.StoredShape.Lengths);
            storedNames.Add(tensor.Source.Name, tensor.StoredName);
        }

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        pipeline.Run(
            shard.Tensors.SelectMany(tensor => RowChunk.Of(tensor.Source, tensor.Type)),
            (chunk, bytes) =>
            {
                writer.Write(storedNames[chunk.Source.Name], bytes);
                hash.AppendData(chunk.SourceData);
                chunk.ReleaseSource();
                if (chunk.IsLast)
                {
                    AppendScales(chunk.Source, hash);
                    hashes.Add(chunk.Source.Name, Convert.ToHexStringLower(hash.GetHashAndReset()));
                }

                meter.Advance(chunk.SourceBytes, step);
            },
            cancellationToken);
        writer.Complete();
    }

    private static unsafe void AppendScales(StoredTensor source, IncrementalHash hash)
    {
        if (source.Scales is { } scales)
        {
            hash.AppendData(new ReadOnlySpan<byte>(scales.Data, checked((int)scales.ByteCount)));
        }
    }
}
