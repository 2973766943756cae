using System.Globalization;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Tensors;

namespace KimiLinear.Pruning;

/// <summary>Finds the experts of a pruned model in its original, by their bytes.</summary>
internal sealed unsafe class PlanRecovery
{
    // Enough to tell experts apart at first sight; what looks the same is compared whole.
    private const int SampleBytes = 64;

    // What is compared before its memory is given up.
    private const int PieceBytes = 8 << 20;

    private readonly Checkpoint _original;
    private readonly Checkpoint _pruned;
    private readonly KimiLinearConfig _before;
    private readonly KimiLinearConfig _after;
    private readonly CopyMeter _meter;
    private readonly CancellationToken _cancellationToken;

    private PlanRecovery(
        Checkpoint original,
        Checkpoint pruned,
        KimiLinearConfig before,
        KimiLinearConfig after,
        IProgress<PruneProgress>? progress,
        CancellationToken cancellationToken)
    {
        (_original, _pruned, _before, _after, _cancellationToken) = (original, pruned, before, after, cancellationToken);
        long total = SparseLayers().Sum(
            layer => Enumerable.Range(0, after.ExpertCount).Sum(expert => Matrices(pruned, layer, expert).Sum(m => m.TotalByteCount)));
        _meter = new CopyMeter(
            total, 0, (done, all, rate, left, step) => progress?.Report(new PruneProgress(done, all, rate, left, step)));
    }

    public static PruningPlan Recover(
        string originalPath, string prunedPath, IProgress<PruneProgress>? progress, CancellationToken cancellationToken)
    {
        ModelLocation originalAt = ModelLocation.Find(originalPath);
        ModelLocation prunedAt = ModelLocation.Find(prunedPath);
        KimiLinearConfig before = originalAt.LoadConfig();
        KimiLinearConfig after = prunedAt.LoadConfig();
        using Checkpoint original = Checkpoint.Open(originalAt);
        using Checkpoint pruned = Checkpoint.Open(prunedAt);
        CheckpointSchema.Validate(original, before);
        CheckpointSchema.Validate(pruned, after);
        if (after.LayerCount != before.LayerCount || !after.SparseLayers.SequenceEqual(before.SparseLayers)
            || after.ExpertCount > before.ExpertCount || after.ActiveExpertCount != before.ActiveExpertCount
            || after.HiddenDim != before.HiddenDim || after.ExpertDim != before.ExpertDim)
        {
            throw new ModelFormatException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{prunedPath}' is no pruned copy of '{originalPath}': it has {after.LayerCount} layers of {after.ExpertCount} "
                    + $"experts, {after.HiddenDim} wide, and the original {before.LayerCount} of {before.ExpertCount}, ")
                + string.Create(CultureInfo.InvariantCulture, $"{before.HiddenDim} wide. Name the original first."),
                prunedPath);
        }

        PlanRecovery recovery = new(original, pruned, before, after, progress, cancellationToken);
        PruningPlan plan = new()
        {
            Model = ObservedModel.Of(originalAt.Name, ModelFingerprint.Of(original, before), before),
            Criterion = "recovered",
            Layers = [.. recovery.SparseLayers().Select(recovery.RecoverLayer)],
        };
        PruningPlanRules.Check(plan);
        return plan;
    }

    private IEnumerable<int> SparseLayers() => Enumerable.Range(0, _before.LayerCount).Where(layer => _before.SparseLayers[layer]);

    private static StoredTensor[] Matrices(Checkpoint checkpoint, int layer, int expert) =>
    [
        checkpoint.Get(WeightNames.InLayer(layer, WeightNames.SparseMoe.ExpertGate(expert))),
        checkpoint.Get(WeightNames.InLayer(layer, WeightNames.SparseMoe.ExpertUp(expert))),
        checkpoint.Get(WeightNames.InLayer(layer, WeightNames.SparseMoe.ExpertDown(expert))),
    ];

    private LayerPlan RecoverLayer(int layer)
    {
        ILookup<string, int> bySample = Enumerable.Range(0, _before.ExpertCount)
            .ToLookup(expert => SampleOf(Matrices(_original, layer, expert)));
        List<int> kept = [];
        for (int expert = 0; expert < _after.ExpertCount; expert++)
        {
            StoredTensor[] matrices = Matrices(_pruned, layer, expert);

            // Twins are told apart by the router, and where it knows none either, it does not matter which is which.
            int[] found =
            [
                .. bySample[SampleOf(matrices)].Except(kept)
                    .Where(candidate => AreSame(matrices, Matrices(_original, layer, candidate)))
                    .OrderByDescending(candidate => HasRouterRow(layer, expert, candidate)),
            ];
            if (found.Length == 0)
            {
                throw NotFound(layer, expert, matrices[0]);
            }

            kept.Add(found[0]);
            _meter.Advance(
                matrices.Sum(matrix => matrix.TotalByteCount), string.Create(CultureInfo.InvariantCulture, $"comparing layer {layer}"));
        }

        return new LayerPlan { LayerIndex = layer, KeptExperts = kept };
    }

    private static string SampleOf(StoredTensor[] matrices)
    {
        Span<byte> sample = stackalloc byte[SampleBytes * 3];
        sample.Clear();
        for (int i = 0; i < matrices.Length; i++)
        {
            int length = (int)Math.Min(matrices[i].ByteCount, SampleBytes);
            byte* middle = matrices[i].Data + ((matrices[i].ByteCount - length) / 2);
            new ReadOnlySpan<byte>(middle, length).CopyTo(sample[(i * SampleBytes)..]);
        }

        return Convert.ToHexString(sample);
    }

    private bool AreSame(StoredTensor[] ours, StoredTensor[] theirs) =>
        ours.Zip(theirs).All(pair => AreSame(pair.First, pair.Second)
            && (pair.First.Scales is null) == (pair.Second.Scales is null)
            && (pair.First.Scales is null || AreSame(pair.First.Scales, pair.Second.Scales!)));

    private bool AreSame(StoredTensor one, StoredTensor other)
    {
        if (one.DataType != other.DataType || !one.Shape.Equals(other.Shape))
        {
            return false;
        }

        bool areSame = true;
        for (long done = 0; areSame && done < one.ByteCount; done += PieceBytes)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            int length = (int)Math.Min(PieceBytes, one.ByteCount - done);
            areSame = new ReadOnlySpan<byte>(one.Data + done, length).SequenceEqual(new ReadOnlySpan<byte>(other.Data + done, length));
            Release(one, done, length);
            Release(other, done, length);
        }

        return areSame;
    }

    private static void Release(StoredTensor tensor, long offset, int length)
    {
        if (tensor.IsMapped)
        {
            MappedPages.Release(tensor.Data + offset, length);
        }
    }

    private bool HasRouterRow(int layer, int prunedExpert, int originalExpert)
    {
        string name = WeightNames.InLayer(layer, WeightNames.SparseMoe.Router);
        return RowOf(_pruned.Get(name), prunedExpert).SequenceEqual(RowOf(_original.Get(name), originalExpert));

        static ReadOnlySpan<byte> RowOf(StoredTensor router, int row)
        {
            long bytes = router.ByteCount / router.Shape[0];
            return new ReadOnlySpan<byte>(router.Data + (row * bytes), (int)bytes);
        }
    }

    private ModelFormatException NotFound(int layer, int expert, StoredTensor matrix)
    {
        StoredTensor other = Matrices(_original, layer, 0)[0];
        string reason = matrix.DataType == other.DataType
            ? "Its weights were changed, or it comes from another model"
            : $"It is stored as {matrix.DataType} and the original as {other.DataType}: compare copies in the same format";
        return new ModelFormatException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Expert {expert} of layer {layer} in '{_pruned.ModelPath}' is none of the original's in '{_original.ModelPath}'. ")
            + $"{reason}.",
            _pruned.ModelPath);
    }
}
