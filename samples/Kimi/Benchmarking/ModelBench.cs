using System.Diagnostics;
using System.Numerics.Tensors;
using System.Runtime;
using Kimi.Terminal;
using KimiLinear.Caching;
using KimiLinear.Model;

namespace Kimi.Benchmarking;

/// <summary>Times the prefill of a prompt and the decoding of tokens.</summary>
/// <remarks>
/// Decoding is a forward pass of one token and the choice of the most likely next one. The runs of a row continue one sequence,
/// so that a deep context is filled only once; what a token moves is counted for the middle of what was timed.
/// </remarks>
internal sealed class ModelBench(KimiLinearModel model, BenchSettings settings, CommandTerminal terminal)
{
    // As much as a server would process at a time.
    private const int PieceTokens = 512;

    // The runtime compiles what runs often once more, better, on threads of its own, beside which the first second or two would be
    // timed.
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan MaxWarmUp = TimeSpan.FromSeconds(10);

    // Into the second page of latent rows.
    private const int WarmUpTokens = 65;

    private readonly float[] _logits = new float[model.Config.VocabularySize];

    /// <summary>Runs everything the settings ask for.</summary>
    public IReadOnlyList<BenchRow> Run()
    {
        List<BenchRow> rows = [];
        if (settings.PromptTokens > 0)
        {
            rows.Add(Prefill());
        }

        if (settings.GeneratedTokens > 0)
        {
            WarmUpDecoding();
            terminal.Status.Show("Measuring how fast memory is read");
            if (model.MeasureDeviceBandwidth() is not null)
            {
                rows.AddRange(Decode(_ => model.MeasureDeviceBandwidth()!.Value / 1e9));
            }
            else
            {
                using ReadBandwidth reading = new(settings.LoadOptions.ThreadCount);
                rows.AddRange(Decode(reading.Measure));
            }
        }

        return rows;
    }

    private BenchRow Prefill()
    {
        string test = $"pp{settings.PromptTokens}";
        int[] prompt = RandomTokens(settings.PromptTokens);
        WarmUp(() => TimePrompt(prompt, $"{test}: warming up"));
        double[] speeds = new double[settings.Repeat];
        for (int run = 0; run < speeds.Length; run++)
        {
            speeds[run] = prompt.Length / TimePrompt(prompt, $"{test}: run {run + 1} of {speeds.Length}").TotalSeconds;
        }

        return new BenchRow(test, 0, true, speeds.Average(), Spread(speeds));
    }

    private TimeSpan TimePrompt(int[] prompt, string status)
    {
        using SequenceState sequence = model.CreateSequence();
        long start = Stopwatch.GetTimestamp();
        Fill(sequence, prompt, status);
        return Stopwatch.GetElapsedTime(start);
    }

    private void WarmUpDecoding()
    {
        terminal.Status.Show("Decoding: warming up");
        WarmUp(() =>
        {
            using SequenceState sequence = model.CreateSequence();
            for (int token = 0; sequence.Length < Math.Min(WarmUpTokens, model.Config.MaxContextTokens);)
            {
                token = Step(sequence, token);
            }
        });
    }

    // Until nothing has been compiled for a while.
    private static void WarmUp(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        long lastCompiled = start;
        long compiledCount = 0;
        do
        {
            run();
            if (JitInfo.GetCompiledMethodCount() is var count && count != compiledCount)
            {
                compiledCount = count;
                lastCompiled = Stopwatch.GetTimestamp();
            }
        }
        while (Stopwatch.GetElapsedTime(lastCompiled) < QuietTime && Stopwatch.GetElapsedTime(start) < MaxWarmUp);
    }

    // What a shared machine can do changes within minutes: depths take turns, and reading is measured before and after each run.
    private List<BenchRow> Decode(Func<CancellationToken, double> measureBandwidth)
    {
        List<DepthRun> depths = [];
        try
        {
            foreach (int depth in settings.Depths)
            {
                depths.Add(Start(depth));
            }

            double before = measureBandwidth(terminal.Interrupts.Token);
            for (int run = 0; run < settings.Repeat; run++)
            {
                foreach (DepthRun depth in depths)
                {
                    terminal.Status.Show($"{depth.Test}: run {run + 1} of {settings.Repeat}");
                    depth.Speeds.Add(Time(depth));
                    double after = measureBandwidth(terminal.Interrupts.Token);
                    depth.Bandwidths.Add((before + after) / 2);
                    before = after;
                }
            }

            return [.. depths.Select(Row)];
        }
        finally
        {
            depths.ForEach(depth => depth.Sequence.Dispose());
        }
    }

    private DepthRun Start(int depth)
    {
        string test = $"tg{settings.GeneratedTokens}{(depth == 0 ? "" : $"@d{depth}")}";
        SequenceState sequence = model.CreateSequence();
        try
        {
            Fill(sequence, RandomTokens(depth), $"{test}: filling the context");
            int token = depth == 0 ? 0 : BestToken();
            for (int i = 0; i < BenchSettings.DepthWarmUpTokens; i++)
            {
                token = Step(sequence, token);
            }

            return new DepthRun(test, depth, sequence) { Token = token };
        }
        catch
        {
            sequence.Dispose();
            throw;
        }
    }

    // Tokens per second.
    private double Time(DepthRun depth)
    {
        long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < settings.GeneratedTokens; i++)
        {
            depth.Token = Step(depth.Sequence, depth.Token);
        }

        double speed = settings.GeneratedTokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
        depth.AllocatedBytes += GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
        return speed;
    }

    private BenchRow Row(DepthRun depth)
    {
        int tokenCount = depth.Sequence.Length - depth.FirstLength;
        double[] speeds = [.. depth.Speeds];
        return new BenchRow(depth.Test, depth.Depth, false, speeds.Average(), Spread(speeds))
        {
            BytesPerToken = model.TrafficAt(depth.FirstLength + (tokenCount / 2)).TotalBytes,
            ReadGigabytesPerSecond = depth.Bandwidths.Average(),
            ManagedBytesPerToken = (double)depth.AllocatedBytes / tokenCount,
        };
    }

    private void Fill(SequenceState sequence, int[] tokens, string status)
    {
        for (int at = 0; at < tokens.Length; at += PieceTokens)
        {
            terminal.Interrupts.Token.ThrowIfCancellationRequested();
            terminal.Status.Show(tokens.Length <= PieceTokens ? status : $"{status}, {at:N0} of {tokens.Length:N0} tokens");
            int count = Math.Min(PieceTokens, tokens.Length - at);
            model.Forward(sequence, tokens.AsSpan(at, count), at + count == tokens.Length ? _logits : []);
        }
    }

    private int Step(SequenceState sequence, int token)
    {
        terminal.Interrupts.Token.ThrowIfCancellationRequested();
        model.Forward(sequence, [token], _logits);
        return BestToken();
    }

    private int BestToken() => TensorPrimitives.IndexOfMax(_logits);

    private int[] RandomTokens(int count)
    {
        Random random = new(1);
        int[] tokens = new int[count];
        foreach (ref int token in tokens.AsSpan())
        {
            token = random.Next(model.Config.VocabularySize);
        }

        return tokens;
    }

    private static double Spread(double[] speeds)
    {
        if (speeds.Length == 1)
        {
            return 0;
        }

        double mean = speeds.Average();
        return Math.Sqrt(speeds.Sum(speed => (speed - mean) * (speed - mean)) / (speeds.Length - 1));
    }
}
