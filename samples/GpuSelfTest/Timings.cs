using System.Diagnostics;
using System.Globalization;
using Kimi.Benchmarking;
using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace GpuSelfTest;

/// <summary>How fast models of random weights in the published shapes are, beside what the GPU's memory allows.</summary>
/// <param name="plan">What is timed.</param>
/// <param name="make">Makes a model of a shape on the GPU.</param>
/// <param name="cancellationToken">Stops it.</param>
internal sealed class Timings(
    TimingPlan plan, Func<KimiLinearConfig, KimiLinearModel> make, CancellationToken cancellationToken)
{
    public void Run(Action<string, Func<Figures, string>> runStage)
    {
        foreach (string shape in plan.Shapes)
        {
            KimiLinearModel? model = null;
            double bandwidth = 0;
            runStage($"timings: {shape}, making it", figures =>
            {
                model = make(BenchShape.Config(shape, expertCount: null, layerCount: null));
                bandwidth = model.MeasureDeviceBandwidth()!.Value;
                figures.Add("copy_bytes_per_second", bandwidth);
                return Invariant($"{model.WeightBytes / 1e9:F1} GB of bfloat16, memory copies {bandwidth / 1e9:N0} GB/s");
            });
            if (model is null)
            {
                continue;
            }

            using (model)
            {
                foreach (int batchSize in plan.BatchSizes)
                {
                    runStage(
                        $"timings: {shape}, decode of {batchSize} at {plan.ContextTokens}",
                        figures => Decode(model, batchSize, plan.ContextTokens, bandwidth, figures));
                }

                runStage($"timings: {shape}, prefill of {plan.PromptTokens}", figures => Prefill(model, figures));
                runStage(
                    $"timings: {shape}, decode of 1 at {plan.LongContextTokens}",
                    figures => Decode(model, 1, plan.LongContextTokens, bandwidth, figures));
            }
        }
    }

    private string Decode(KimiLinearModel model, int batchSize, int contextTokens, double bandwidth, Figures figures)
    {
        SequenceState[] sequences = [.. Enumerable.Range(0, batchSize).Select(_ => model.CreateSequence())];
        try
        {
            Array.ForEach(sequences, sequence => sequence.AppendUnseen(contextTokens));

            // Different tokens go to different experts.
            BatchEntry[] entries = [.. sequences.Select((sequence, i) => new BatchEntry(
                sequence, new[] { (i * 7919) % model.Config.VocabularySize }, LogitsRequest.LastToken))];
            float[] logits = new float[batchSize * model.Config.VocabularySize];
            Steps(plan.WarmUpSteps);
            long start = Stopwatch.GetTimestamp();
            Steps(plan.TimedSteps);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds / plan.TimedSteps;
            double limit = BytesPerStep(model, batchSize, contextTokens) / bandwidth;
            figures.Add("step_milliseconds", seconds * 1e3);
            figures.Add("tokens_per_second", batchSize / seconds);
            figures.Add("limit_tokens_per_second", batchSize / limit);
            figures.Add("share_of_limit", limit / seconds);
            return Invariant(
                $"{seconds * 1e3:F3} ms, {batchSize / seconds:N0} tokens/s; limit {limit * 1e3:F3} ms, {batchSize / limit:N0}: {limit / seconds:P0}");

            // The last step fetches its scores, and so waits for all.
            void Steps(int count)
            {
                for (int i = 1; i < count; i++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    model.ForwardUnread(entries);
                }

                model.Forward(entries, logits);
            }
        }
        finally
        {
            Array.ForEach(sequences, sequence => sequence.Dispose());
        }
    }

    private string Prefill(KimiLinearModel model, Figures figures)
    {
        float[] logits = new float[model.Config.VocabularySize];
        Random random = new(1);
        int[] prompt = [.. Enumerable.Range(0, plan.PromptTokens).Select(_ => random.Next(model.Config.VocabularySize))];
        double best = double.MaxValue;
        for (int run = 0; run < plan.PromptRuns; run++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using SequenceState sequence = model.CreateSequence();
            long start = Stopwatch.GetTimestamp();
            model.Forward(sequence, prompt, logits);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        figures.Add("seconds", best);
        figures.Add("tokens_per_second", plan.PromptTokens / best);
        return Invariant($"{best * 1e3:N0} ms, {plan.PromptTokens / best:N0} tokens/s");
    }

    // The weights of an expert count once for all tokens that visit it, as often as chance has it; states and caches for each.
    private static double BytesPerStep(KimiLinearModel model, int batchSize, int contextTokens)
    {
        KimiLinearConfig config = model.Config;
        TokenTraffic traffic = model.TrafficAt(contextTokens);
        double sparseLayers = config.SparseLayers.Count(isSparse => isSparse);
        double expertBytes = sparseLayers * 3.0 * config.HiddenDim * config.ExpertDim * sizeof(ushort);
        double visited = config.ExpertCount
            * (1 - Math.Pow(1 - ((double)config.ActiveExpertCount / config.ExpertCount), batchSize));
        double shared = traffic.WeightBytes - (expertBytes * config.ActiveExpertCount);
        return shared + (expertBytes * visited)
            + (batchSize * (traffic.StateBytes + traffic.ConvolutionBytes + traffic.LatentBytes));
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
