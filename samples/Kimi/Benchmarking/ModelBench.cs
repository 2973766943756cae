using System.Diagnostics;
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

    // Long enough for the runtime to compile what runs often once more, better.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5);

    private const int MaxWarmUpPrompts = 50;
    private const int MaxWarmUpTokens = 2000;

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
            using ReadBandwidth reading = new(settings.LoadOptions.ThreadCount, terminal.Interrupts.Token);
            rows.AddRange(settings.Depths.Select(depth => Decode(depth, reading)));
        }

        return rows;
    }

    private BenchRow Prefill()
    {
        string test = $"pp{settings.PromptTokens}";
        int[] prompt = RandomTokens(settings.PromptTokens);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i == 0 || (i < MaxWarmUpPrompts && Stopwatch.GetElapsedTime(start) < WarmUp); i++)
        {
            _ = TimePrompt(prompt, $"{test}: warming up");
        }

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
        using SequenceState sequence = model.CreateSequence();
        long start = Stopwatch.GetTimestamp();
        int limit = Math.Min(MaxWarmUpTokens, model.Config.MaxContextTokens);
        int token = 0;
        while (sequence.Length == 0 || (sequence.Length < limit && Stopwatch.GetElapsedTime(start) < WarmUp))
        {
            token = Step(sequence, token);
        }
    }

    // Reading is measured before, between and after the runs: what a shared machine can do changes while they last.
    private BenchRow Decode(int depth, ReadBandwidth reading)
    {
        string test = $"tg{settings.GeneratedTokens}{(depth == 0 ? "" : $"@d{depth}")}";
        using SequenceState sequence = model.CreateSequence();
        Fill(sequence, RandomTokens(depth), $"{test}: filling the context");
        int token = depth == 0 ? 0 : BestToken();
        for (int i = 0; i < BenchSettings.DepthWarmUpTokens; i++)
        {
            token = Step(sequence, token);
        }

        int firstLength = sequence.Length;
        long allocatedBytes = 0;
        double bandwidth = reading.Measure(terminal.Interrupts.Token);
        double[] speeds = new double[settings.Repeat];
        for (int run = 0; run < speeds.Length; run++)
        {
            terminal.Status.Show($"{test}: run {run + 1} of {speeds.Length}");
            long allocatedBefore = GC.GetTotalAllocatedBytes(precise: true);
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < settings.GeneratedTokens; i++)
            {
                token = Step(sequence, token);
            }

            speeds[run] = settings.GeneratedTokens / Stopwatch.GetElapsedTime(start).TotalSeconds;
            allocatedBytes += GC.GetTotalAllocatedBytes(precise: true) - allocatedBefore;
            bandwidth += reading.Measure(terminal.Interrupts.Token);
        }

        int tokenCount = sequence.Length - firstLength;
        return new BenchRow(test, depth, false, speeds.Average(), Spread(speeds))
        {
            BytesPerToken = model.TrafficAt(firstLength + (tokenCount / 2)).TotalBytes,
            ReadGigabytesPerSecond = bandwidth / (speeds.Length + 1),
            ManagedBytesPerToken = (double)allocatedBytes / tokenCount,
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

    private int BestToken()
    {
        int best = 0;
        for (int i = 1; i < _logits.Length; i++)
        {
            best = _logits[i] > _logits[best] ? i : best;
        }

        return best;
    }

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
