using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>One model, many callers; and its end.</summary>
public sealed class ConcurrencyTests
{
    private const int CallerCount = 8;
    private const int PromptLength = 30;
    private const int ReplyLength = 40;

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Forward_ManyThreadsEachWithItsSequence_SameResultsAsAlone(string backend)
    {
        using GoldenExpectation golden = new("plain");
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        int[] ids = golden.InputIds;
        int[][] prompts = [.. Enumerable.Range(0, CallerCount).Select(i => ModelCases.Repeat(ids, 11 * i, PromptLength + i))];
        float[][] alone = [.. prompts.Select(prompt => Converse(model, prompt))];
        float[][] together = new float[CallerCount][];
        using Barrier start = new(CallerCount);

        RunOnThreads(i =>
        {
            start.SignalAndWait();
            together[i] = Converse(model, prompts[i]);
        });

        for (int i = 0; i < CallerCount; i++)
        {
            TensorAssert.Identical(together[i], alone[i], $"caller {i}");
        }

        Assert.Equal(0, model.SequenceCount);
    }

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Dispose_WhileOthersStep_LetsTheStepEndAndRefusesTheNext(string backend)
    {
        using GoldenExpectation golden = new("plain");
        KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend);
        using SequenceState probe = model.CreateSequence();
        float[] expected = model.LastLogits(probe, golden.InputIds[..20]);
        using CountdownEvent running = new(CallerCount);

        Thread disposer = new(() =>
        {
            running.Wait();
            model.Dispose();
        });
        disposer.Start();
        RunOnThreads(_ =>
        {
            running.Signal();
            StepUntilDisposed(model, golden.InputIds[..20], expected);
        });
        disposer.Join();

        Assert.Throws<ObjectDisposedException>(() => model.CreateSequence());
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Dispose_Idle_RefusesFurtherUseAndIsIdempotent(string backend)
    {
        KimiLinearModel model = Backend.Load(Golden.Model("no-shared"), backend);
        SequenceState sequence = model.CreateSequence();
        SequenceState unused = model.CreateSequence();
        model.Forward(sequence, [1, 2, 3], []);

        model.Dispose();
        model.Dispose();

        float[] logits = new float[128];
        Assert.Throws<ObjectDisposedException>(() => model.Forward(sequence, [1], logits));
        Assert.Throws<ObjectDisposedException>(() => model.Forward(unused, [1], logits));
        Assert.Throws<ObjectDisposedException>(() => model.ForwardEveryToken(sequence, [1], logits));
        Assert.Throws<ObjectDisposedException>(() => model.CreateSequence());
        Assert.Equal(0, model.SequenceMemoryBytes);
        Assert.Equal("no-shared", model.Name);
        sequence.Dispose();
        unused.Dispose();
    }

    private static void StepUntilDisposed(KimiLinearModel model, int[] ids, float[] expected)
    {
        try
        {
            while (true)
            {
                using SequenceState sequence = model.CreateSequence();
                TensorAssert.Identical(model.LastLogits(sequence, ids), expected, "logits before the end");
            }
        }
        catch (ObjectDisposedException)
        {
            // The end that was waited for.
        }
    }

    private static float[] Converse(KimiLinearModel model, int[] prompt)
    {
        using SequenceState sequence = model.CreateSequence();
        float[] logits = model.LastLogits(sequence, prompt);
        return [.. logits, .. model.Decode(sequence, model.ContinueGreedily(sequence, logits, ReplyLength)[..5])];
    }

    // Threads of their own, so that all of them run at once; what one throws, the caller sees.
    private static void RunOnThreads(Action<int> action)
    {
        Exception?[] failures = new Exception?[CallerCount];
        Thread[] threads = new Thread[CallerCount];
        for (int i = 0; i < CallerCount; i++)
        {
            int caller = i;
            threads[i] = new Thread(() => failures[caller] = Record.Exception(() => action(caller)));
            threads[i].Start();
        }

        Array.ForEach(threads, thread => thread.Join());
        Assert.All(failures, Assert.Null);
    }
}
