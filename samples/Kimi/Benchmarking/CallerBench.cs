using System.Diagnostics;
using System.Globalization;
using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tokenization;

namespace Kimi.Benchmarking;

/// <summary>Lets callers ask an engine, one after the other and all at once.</summary>
/// <remarks>
/// Prompts are random tokens and replies are drawn, each with a seed of its own, and have a fixed length. Requests come in a few
/// kinds, whose replies are known from when they were asked alone.
/// </remarks>
internal sealed class CallerBench(
    KimiLinearModel model,
    KimiTokenizer tokenizer,
    GenerationConfig recommended,
    StressSettings settings,
    CommandTerminal terminal)
{
    private const int KindCount = 16;

    // Repeated, since a single answer from the cache takes a millisecond or so.
    private const int TurnCount = 5;

    private static readonly TimeSpan ReportInterval = TimeSpan.FromMinutes(1);

    private readonly int[][] _prompts = [.. Enumerable.Range(0, KindCount).Select(
        kind => RandomTokens(model, kind, settings.PromptTokens))];

    private int[][] _alone = [];

    /// <summary>Gets what the process held at the beginning and at the end of a long run, in bytes; empty without one.</summary>
    public List<(TimeSpan At, long WorkingSet, long EngineBytes)> Memory { get; } = [];

    /// <summary>Runs everything the settings ask for.</summary>
    public async Task<IReadOnlyList<StressRow>> RunAsync(CancellationToken cancellationToken)
    {
        List<StressRow> rows = [];
        await using (GenerationEngine engine = CreateEngine(settings.ReusePrefixes))
        {
            _alone = new int[KindCount][];
            for (int kind = 0; kind < KindCount; kind++)
            {
                _alone[kind] = [.. await AskAsync(engine, kind, cancellationToken)];
            }

            if (settings.Duration > TimeSpan.Zero)
            {
                rows.Add(await LastAsync(engine, cancellationToken));
            }
            else
            {
                int few = Math.Max(settings.RequestCount / settings.CallerCount, KindCount);
                rows.Add(await CountAsync(engine, 1, few, cancellationToken));
                rows.Add(await CountAsync(engine, settings.CallerCount, settings.RequestCount, cancellationToken));
            }
        }

        if (settings.TurnTokens > 0 && settings.Duration == TimeSpan.Zero)
        {
            rows.Add(await TurnAsync(reusePrefixes: false, cancellationToken));
            rows.Add(await TurnAsync(reusePrefixes: true, cancellationToken));
        }

        return rows;
    }

    private GenerationEngine CreateEngine(bool reusePrefixes) => new(
        model,
        tokenizer,
        recommended,
        new EngineOptions { MaxSequences = settings.CallerCount, ReusePrefixes = reusePrefixes });

    private async Task<StressRow> CountAsync(
        GenerationEngine engine, int callers, int requests, CancellationToken cancellationToken)
    {
        string test = callers == 1 ? "1 caller" : string.Create(CultureInfo.InvariantCulture, $"{callers} callers");
        TimeSpan[] firstTokens = new TimeSpan[requests];
        int asked = 0;
        int different = 0;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(CallAsync, cancellationToken)));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new StressRow(test, requests, requests * settings.ReplyTokens / seconds, firstTokens) { DifferentCount = different };

        async Task CallAsync()
        {
            for (int index; (index = Interlocked.Increment(ref asked) - 1) < requests;)
            {
                terminal.Status.Show($"{test}: request {index + 1} of {requests}");
                int kind = index % KindCount;
                List<int> reply = await AskAsync(engine, kind, cancellationToken, first => firstTokens[index] = first);
                _ = reply.SequenceEqual(_alone[kind]) ? 0 : Interlocked.Increment(ref different);
            }
        }
    }

    // Half of the requests are cancelled somewhere on their way.
    private async Task<StressRow> LastAsync(GenerationEngine engine, CancellationToken cancellationToken)
    {
        List<TimeSpan> firstTokens = [];
        int different = 0;
        int cancelled = 0;
        long tokens = 0;
        long start = Stopwatch.GetTimestamp();
        using Timer report = new(_ => NoteMemory(engine, start), null, TimeSpan.Zero, ReportInterval);
        await Task.WhenAll(Enumerable.Range(0, settings.CallerCount).Select(caller => Task.Run(() => CallAsync(caller), cancellationToken)));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        NoteMemory(engine, start);
        return new StressRow(
            string.Create(CultureInfo.InvariantCulture, $"{settings.CallerCount} callers for {settings.Duration.TotalMinutes} min"),
            firstTokens.Count,
            tokens / seconds,
            firstTokens)
        {
            CancelledCount = cancelled,
            DifferentCount = different,
        };

        async Task CallAsync(int caller)
        {
            Random random = new(caller);
            while (Stopwatch.GetElapsedTime(start) < settings.Duration)
            {
                int kind = random.Next(KindCount);
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                int limit = random.Next(2) == 0 ? random.Next(settings.ReplyTokens) : int.MaxValue;
                int count = 0;
                try
                {
                    List<int> reply = await AskAsync(engine, kind, stop.Token, NoteFirst, () =>
                    {
                        if (++count > limit)
                        {
                            stop.Cancel();
                        }
                    });
                    _ = reply.SequenceEqual(_alone[kind]) ? 0 : Interlocked.Increment(ref different);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    Interlocked.Increment(ref cancelled);
                }

                Interlocked.Add(ref tokens, count);
            }
        }

        void NoteFirst(TimeSpan first)
        {
            lock (firstTokens)
            {
                firstTokens.Add(first);
            }
        }
    }

    private void NoteMemory(GenerationEngine engine, long start)
    {
        TimeSpan at = Stopwatch.GetElapsedTime(start);
        terminal.Status.Show(string.Create(CultureInfo.InvariantCulture, $"{at.TotalMinutes:0} minutes"));
        lock (Memory)
        {
            Memory.Add((at, Environment.WorkingSet, engine.GetStatistics().MemoryBytes));
        }
    }

    // The conversation so far, the reply, and a new question of the length of a prompt.
    private async Task<StressRow> TurnAsync(bool reusePrefixes, CancellationToken cancellationToken)
    {
        List<TimeSpan> firstTokens = [];
        await using GenerationEngine engine = CreateEngine(reusePrefixes);
        for (int turn = 0; turn < TurnCount; turn++)
        {
            terminal.Status.Show($"second turn {turn + 1} of {TurnCount}");
            List<int> conversation = [.. RandomTokens(model, KindCount + turn, settings.TurnTokens)];
            conversation.AddRange(await AskAsync(engine, conversation.ToArray(), turn, cancellationToken));
            conversation.AddRange(RandomTokens(model, KindCount + TurnCount + turn, settings.PromptTokens));
            await AskAsync(engine, conversation.ToArray(), turn, cancellationToken, firstTokens.Add);
        }

        string how = reusePrefixes ? "resumed" : "read again";
        return new StressRow(
            string.Create(CultureInfo.InvariantCulture, $"second turn after {settings.TurnTokens} tokens, {how}"),
            TurnCount,
            0,
            firstTokens);
    }

    private Task<List<int>> AskAsync(
        GenerationEngine engine, int kind, CancellationToken cancellationToken, Action<TimeSpan>? onFirst = null, Action? onToken = null) =>
        AskAsync(engine, _prompts[kind], kind, cancellationToken, onFirst, onToken);

    private async Task<List<int>> AskAsync(
        GenerationEngine engine,
        int[] prompt,
        int seed,
        CancellationToken cancellationToken,
        Action<TimeSpan>? onFirst = null,
        Action? onToken = null)
    {
        GenerationOptions options = new()
        {
            MaxTokens = settings.ReplyTokens,
            StopTokenIds = [],
            SamplingOptions = new SamplingOptions { Temperature = 1, Seed = (ulong)seed },
        };
        List<int> reply = [];
        long start = Stopwatch.GetTimestamp();
        await foreach (GeneratedToken token in engine.GenerateAsync(prompt, options, cancellationToken))
        {
            if (reply.Count == 0)
            {
                onFirst?.Invoke(Stopwatch.GetElapsedTime(start));
            }

            reply.Add(token.Id);
            onToken?.Invoke();
        }

        return reply;
    }

    // Special tokens stand at the end of a vocabulary.
    private static int[] RandomTokens(KimiLinearModel model, int seed, int count)
    {
        Random random = new(seed);
        int[] tokens = new int[count];
        foreach (ref int token in tokens.AsSpan())
        {
            token = random.Next(model.Config.VocabularySize / 2);
        }

        return tokens;
    }
}
