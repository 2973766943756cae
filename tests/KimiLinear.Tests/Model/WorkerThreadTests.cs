using System.Diagnostics;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>A model's threads rest when it does and end with it.</summary>
[Collection(ProcessWide.Name)]
public sealed class WorkerThreadTests
{
    private const int ThreadCount = 4;
    private const int MaxWindows = 30;

    // Far below a single spinning thread, far above what the runtime does by itself.
    private static readonly TimeSpan IdleBudget = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan IdleWindow = TimeSpan.FromMilliseconds(400);

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Forward_Done_LeavesTheProcessorIdle(string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model("plain"), backend, ThreadCount);
        using SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, [1, 2, 3], []);
        model.Decode(sequence, 4, 5, 6);

        // The runtime may still be compiling what earlier tests ran hot; a spinning thread shows in every window.
        TimeSpan busy = ProcessorTimeWhileIdle();
        for (int i = 1; i < MaxWindows && busy >= IdleBudget; i++)
        {
            busy = ProcessorTimeWhileIdle();
        }

        Assert.True(
            busy < IdleBudget,
            $"{busy.TotalMilliseconds:F0} ms of processor time in {IdleWindow.TotalMilliseconds:F0} ms of rest.");
    }

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Dispose_ManyModels_EndsTheirThreads(string backend)
    {
        const int ModelCount = 20;
        int before = CountThreads();

        for (int i = 0; i < ModelCount; i++)
        {
            using KimiLinearModel model = Backend.Load(Golden.Model("no-shared"), backend, ThreadCount);
            using SequenceState sequence = model.CreateSequence();
            model.Forward(sequence, [1, 2, 3], []);
        }

        AssertThreadsEnded(before, ModelCount);
    }

    [Theory]
    [MemberData(nameof(Backend.ProductionNames), MemberType = typeof(Backend))]
    public void Load_Cancelled_EndsItsThreads(string backend)
    {
        const int ModelCount = 20;
        int before = CountThreads();

        for (int i = 0; i < ModelCount; i++)
        {
            using CancellationTokenSource source = new();
            Assert.Throws<OperationCanceledException>(() => ModelLoader.Load(
                Golden.Model("no-shared"),
                new ModelLoadOptions(),
                (config, _) =>
                {
                    source.Cancel();
                    return Backend.Create(backend, config, ThreadCount);
                },
                null,
                source.Token));
        }

        AssertThreadsEnded(before, ModelCount);
    }

    // Other threads of the process come and go; a leak of one team per model would be far more.
    private static void AssertThreadsEnded(int before, int modelCount)
    {
        int allowed = before + (modelCount * (ThreadCount - 1) / 4);
        SpinWait.SpinUntil(() => CountThreads() <= allowed, TimeSpan.FromSeconds(5));
        Assert.InRange(CountThreads(), 1, allowed);
    }

    private static int CountThreads()
    {
        using Process process = Process.GetCurrentProcess();
        return process.Threads.Count;
    }

    private static TimeSpan ProcessorTimeWhileIdle()
    {
        using Process process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        Thread.Sleep(IdleWindow);
        process.Refresh();
        return process.TotalProcessorTime - before;
    }
}
