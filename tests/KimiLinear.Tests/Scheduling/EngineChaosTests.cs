using KimiLinear.Backends;
using KimiLinear.Generation;
using KimiLinear.Model;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using KimiLinear.Tests.TestSupport;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

/// <summary>All of it together: little memory, slow readers, cancellations anywhere, and a device that fails now and then.</summary>
public sealed class EngineChaosTests : IDisposable
{
    private const int MostTokens = 60;

    private readonly KimiTokenizer _tokenizer = KimiTokenizer.Load(TinyModel.Directory);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kimi-chaos-");
    private readonly FaultyBackend _backend;
    private readonly KimiLinearModel _model;

    public EngineChaosTests() => _model = FaultyBackend.LoadModel(TinyModel.Directory, out _backend);

    public void Dispose()
    {
        _model.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task GenerateAsync_AnythingHappens_RepliesAreRightAndNothingIsHeld(int seed)
    {
        const int RequestCount = 40;
        Random random = new(seed);
        List<(int[] Prompt, int[] Reply)> expected = [];
        for (int conversation = 0; conversation < 5; conversation++)
        {
            int[] prompt = Prompt($"Tell me about number {conversation} and the weather in Paris, please.");
            for (int turn = 0; turn < 3; turn++)
            {
                int[] reply = await EngineHarness.ReadAsync(
                    new TextGenerator(_model, _tokenizer).GenerateAsync(prompt, EngineHarness.Options(1, MostTokens)));
                expected.Add((prompt, reply));
                prompt = [.. prompt, .. reply[..random.Next(10, MostTokens)], .. Prompt("And in Rome?")];
            }
        }

        EngineOptions options = new()
        {
            MaxSequences = random.Next(1, 6),
            ReadAheadTokens = random.Next(1, 12),
            PieceTokens = random.Next(8, 64),
            MaxStepTokens = random.Next(4, 100),
            MaxDraftTokens = random.Next(2) * 8,
            MemoryBytes = random.Next(1, 5) * (_model.SlotBytes + (random.Next(6, 9) * _model.PageBytes)),
            ReusePrefixes = random.Next(4) > 0,
            PrefixFolder = random.Next(3) > 0 ? _folder.FullName : null,
            PrefixFolderBytes = random.Next(1, 6) * _model.SnapshotBytes(random.Next(64, 300)),
        };
        GenerationEngine engine = new(_model, _tokenizer, defaults: null, options);
        Random faults = new(seed);
        _backend.CopyFault = _backend.SaveFault = _backend.RestoreFault = _backend.RestorePageFault = _backend.ClearFault =
            () => faults.Next(25) == 0 ? new DeviceMemoryException("Full.") : null;
        _backend.RunFault = () => faults.Next(150) == 0 ? new TimeoutException("Gone.") : null;

        bool endsEarly = random.Next(3) == 0;
        int endsAfter = random.Next(300);
        Task end = Task.Run(async () =>
        {
            if (endsEarly)
            {
                await Task.Delay(endsAfter);
                await engine.DisposeAsync();
            }
        });

        string?[] wrong = await Task.WhenAll(Enumerable.Range(0, RequestCount).Select(i =>
        {
            (int[] prompt, int[] reply) = expected[random.Next(expected.Count)];
            return RunAsync(engine, prompt, reply, random.Next(), i, endsEarly);
        })).WaitAsync(TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken);
        await engine.WhenIdleAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60));

        await end;
        Assert.All(wrong, Assert.Null);
        EngineStatistics statistics = engine.GetStatistics();
        Assert.InRange(endsEarly ? RequestCount : statistics.CompletedCount + statistics.CancelledCount + statistics.FailedCount, RequestCount, RequestCount);
        await engine.DisposeAsync();
        Assert.Equal((0, 0L), (_model.SequenceCount, _model.UsedSequenceBytes));
        statistics = engine.GetStatistics();
        Assert.Equal(
            (0, 0L, 0, 0),
            (statistics.StoredPrefixCount, statistics.StoredPrefixBytes, statistics.RunningCount, statistics.WaitingCount));
        if (OperatingSystem.IsLinux())
        {
            Assert.DoesNotContain(
                Directory.EnumerateFiles("/proc/self/fd").Select(path => new FileInfo(path).LinkTarget ?? ""),
                target => target.StartsWith(_folder.FullName, StringComparison.Ordinal));
        }
    }

    // Null, or what was wrong.
    private static async Task<string?> RunAsync(GenerationEngine engine, int[] prompt, int[] reply, int seed, int number, bool endsEarly)
    {
        Random random = new(seed);
        int maxTokens = random.Next(1, MostTokens + 1);
        int stopAfter = random.Next(3) == 0 ? random.Next(maxTokens) : int.MaxValue;
        bool cancels = random.Next(2) == 0;
        using CancellationTokenSource cancellation = new();
        if (random.Next(10) == 0)
        {
            cancellation.CancelAfter(random.Next(200));
        }

        List<int> read = [];
        try
        {
            await foreach (GeneratedToken token in engine.GenerateAsync(
                prompt,
                EngineHarness.Options(1, maxTokens) with { Caller = random.Next(2) == 0 ? $"caller {number % 4}" : null },
                cancellation.Token))
            {
                read.Add(token.Id);
                if (read.Count > stopAfter)
                {
                    if (!cancels)
                    {
                        break;
                    }

                    await cancellation.CancelAsync();
                }

                if (random.Next(8) == 0)
                {
                    await Task.Delay(random.Next(30));
                }
            }

            return read.SequenceEqual(reply[..read.Count]) && (read.Count == maxTokens || read.Count > stopAfter)
                ? null
                : $"{number}: {read.Count} of {maxTokens}, {string.Join(' ', read)}, not {string.Join(' ', reply)}";
        }
        catch (Exception exception) when (exception is DeviceMemoryException or TimeoutException or InsufficientMemoryException
            || (endsEarly && exception is ObjectDisposedException)
            || (exception is OperationCanceledException && cancellation.IsCancellationRequested))
        {
            return read.SequenceEqual(reply[..read.Count]) ? null : $"{number}: {string.Join(' ', read)}, not {string.Join(' ', reply)}";
        }
        catch (Exception exception)
        {
            return exception.ToString();
        }
    }

    private int[] Prompt(string text) => _tokenizer.Encode(
        $"<|im_user|>user<|im_middle|>{text}<|im_end|><|im_assistant|>assistant<|im_middle|>", allowSpecialTokens: true);
}
