using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>Memory is reused while a model runs and given back when it ends.</summary>
[Collection(ProcessWide.Name)]
public sealed class MemoryTests
{
    // Crosses into a second page.
    private const int DecodeSteps = 100;

    public MemoryTests()
    {
        // What other tests left to the finalizer must not change the counter later.
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    [Theory]
    [MemberData(nameof(Backend.HostedNames), MemberType = typeof(Backend))]
    public void Dispose_AfterManySequences_MemoryWasFlatAndReturns(string backend)
    {
        const int SequenceCount = 200;
        const int WarmUpCount = 5;
        long before = NativeBuffer.AllocatedBytes;
        KimiLinearModel model = Backend.Load(Golden.Model("no-shared"), backend);
        long warm = 0;

        for (int i = 0; i < SequenceCount; i++)
        {
            using (SequenceState sequence = model.CreateSequence())
            {
                // The first one is the longest.
                model.Forward(sequence, new int[i == 0 ? 70 : 1 + (i * 7 % 70)], []);
                model.Decode(sequence, 1, 2, 3);
            }

            warm = i == WarmUpCount ? NativeBuffer.AllocatedBytes : warm;
            if (i > WarmUpCount)
            {
                Assert.Equal(warm, NativeBuffer.AllocatedBytes);
            }
        }

        Assert.InRange(model.SequenceMemoryBytes, 1, warm - before);
        Assert.Equal(0, model.SequenceCount);
        model.Dispose();
        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(2)]
    public void Load_Converting_ReturnsItsMemoryWhenCancelledOrDisposed(double cancelAt)
    {
        long before = NativeBuffer.AllocatedBytes;
        using CancellationTokenSource source = new();
        Reports reports = new()
        {
            OnReport = progress =>
            {
                if (progress.Fraction >= cancelAt)
                {
                    source.Cancel();
                }
            },
        };

        Exception? exception = Record.Exception(() => KimiLinearModel.Load(
            Golden.TinyModel, new ModelLoadOptions { Format = WeightFormat.Q4 }, reports, source.Token).Dispose());

        Assert.Equal(cancelAt <= 1, exception is OperationCanceledException);
        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    [Theory]
    [MemberData(nameof(ModelCases.Hosted), MemberType = typeof(ModelCases))]
    public void Dispose_WithSequencesOpen_ReturnsTheirMemoryToo(string modelName, string backend)
    {
        long before = NativeBuffer.AllocatedBytes;
        KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);
        using SequenceState open = model.CreateSequence();
        model.Forward(open, [1, 2, 3], []);
        using SequenceState fork = open.Fork();
        using (open.Save())
        {
            Assert.Equal(2, model.SequenceCount);
        }

        Assert.True(NativeBuffer.AllocatedBytes > before, "The model should have taken memory.");
        model.Dispose();

        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    [Theory]
    [MemberData(nameof(ModelCases.Production), MemberType = typeof(ModelCases))]
    public void Forward_DecodeSteps_AllocateNothing(string modelName, string backend)
    {
        using KimiLinearModel model = Backend.Load(Golden.Model(modelName), backend);

        AssertDecodeAllocatesNothing(model);
    }

    [Theory]
    [MemberData(nameof(PackedModels.Cases), MemberType = typeof(PackedModels))]
    public void Forward_DecodeStepsWithPackedWeights_AllocateNothing(string name, WeightFormat format)
    {
        foreach (SimdWidth width in Enum.GetValues<SimdWidth>().Where(width => width <= CpuBackends.Widest))
        {
            using KimiLinearModel model = PackedModels.Load(name, format, width: width);

            AssertDecodeAllocatesNothing(model);
        }
    }

    [Theory]
    [MemberData(nameof(PackedModels.Cases), MemberType = typeof(PackedModels))]
    public void Dispose_PackedModelAfterStepsOfAnyLength_MemoryWasFlatAndReturns(string name, WeightFormat format)
    {
        PackedModels.Load(name, format).Dispose();
        long before = NativeBuffer.AllocatedBytes;
        KimiLinearModel model = PackedModels.Load(name, format);
        model.EveryLogits(PackedModels.Ids(100));
        long warm = NativeBuffer.AllocatedBytes;

        foreach (int length in (int[])[1, 7, 8, 31, 32, 33, 99])
        {
            model.EveryLogits(PackedModels.Ids(length));
        }

        Assert.Equal(warm, NativeBuffer.AllocatedBytes);
        model.Dispose();
        Assert.Equal(before, NativeBuffer.AllocatedBytes);
    }

    [Fact]
    public void Load_CancelledAtAnyReport_LeavesNothingBehind()
    {
        using TemporaryModelFolder folder = new("plain");
        long before = NativeBuffer.AllocatedBytes;
        Reports all = new();
        KimiLinearModel.Load(folder.Path, progress: all).Dispose();

        for (int stop = 1; stop < all.Count; stop++)
        {
            using CancellationTokenSource source = new();
            int count = 0;
            Reports reports = new() { OnReport = _ => CancelAt(source, ++count, stop) };

            Assert.Throws<OperationCanceledException>(
                () => KimiLinearModel.Load(folder.Path, progress: reports, cancellationToken: source.Token));

            Assert.Equal(before, NativeBuffer.AllocatedBytes);
            Assert.False(folder.IsMapped());
        }
    }

    [Theory]
    [MemberData(nameof(Backend.Names), MemberType = typeof(Backend))]
    public void Load_ProgressThatThrows_LeavesNothingBehind(string backend)
    {
        using TemporaryModelFolder folder = new("plain");
        long before = NativeBuffer.AllocatedBytes;
        int count = 0;
        Reports reports = new() { OnReport = _ => ThrowAt(++count, 3) };

        ModelLoadOptions options = new() { Preload = WeightPreload.Never };

        Assert.Throws<InvalidTimeZoneException>(() => ModelLoader.Load(
            folder.Path, options, (config, _) => Backend.Create(backend, config, 2), reports, default));

        Assert.Equal(before, NativeBuffer.AllocatedBytes);
        Assert.False(folder.IsMapped());
    }

    [Fact]
    public void Dispose_Model_UnmapsItsFiles()
    {
        using TemporaryModelFolder folder = new("sharded-f16");
        KimiLinearModel model = KimiLinearModel.Load(folder.Path);
        Assert.Equal(OperatingSystem.IsLinux(), folder.IsMapped());

        model.Dispose();

        Assert.False(folder.IsMapped());
    }

    [Fact]
    public void Fork_KeptCopy_HoldsNoTableForTheLongestContext()
    {
        const int CopyCount = 50;
        using KimiLinearModel model = KimiLinearModel.Load(Golden.TinyModel);
        using SequenceState sequence = model.CreateSequence();
        float[] logits = new float[model.Config.VocabularySize];
        model.Forward(sequence, [.. Enumerable.Range(0, 100)], logits);
        model.Fork(sequence, isKept: true).Dispose();

        long before = GC.GetAllocatedBytesForCurrentThread();
        SequenceState[] copies = [.. Enumerable.Range(0, CopyCount).Select(_ => model.Fork(sequence, isKept: true))];
        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / CopyCount;

        // A table for a million tokens takes 64 KiB.
        Assert.InRange(each, 1, 4096);
        using SequenceState resumed = model.Fork(copies[^1]);
        float[] expected = new float[logits.Length];
        model.Forward(sequence, [7], expected);
        model.Forward(resumed, [7], logits);
        Assert.Equal(expected, logits);
        Assert.All(copies, copy => copy.Dispose());
    }

    [Theory]
    [InlineData(64)]
    [InlineData(64 * 500)]
    [InlineData((64 * 500) + 1)]
    public void Fork_KeptCopyOfAnyLength_HoldsATableOfItsOwnLengthAndLeavesTheOthersAlone(int tokenCount)
    {
        using KimiLinearModel model = KimiLinearModel.Load(Golden.TinyModel);
        using SequenceState sequence = model.CreateSequence();
        sequence.AppendUnseen(tokenCount);
        model.Fork(sequence, isKept: true).Dispose();

        long before = GC.GetAllocatedBytesForCurrentThread();
        SequenceState copy = model.Fork(sequence, isKept: true);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(allocated, 1, (sizeof(int) * CacheLayout.PagesFor(tokenCount)) + 256);
        Assert.Equal(2, model.SequenceCount);
        copy.Dispose();
        Assert.Equal(1, model.SequenceCount);
        // Whoever comes next gets a table that grows in no step.
        int slot = sequence.Pool.RentSlot(out int[] table);
        Assert.InRange(table.Length, CacheLayout.PagesFor(model.Config.MaxContextTokens), int.MaxValue);
        sequence.Pool.Return(slot, table, pageCount: 0);
    }

    private static void AssertDecodeAllocatesNothing(KimiLinearModel model)
    {
        float[] logits = new float[model.Config.VocabularySize];
        MeasureDecode(model, logits);

        // Something unrelated in the process may allocate at times; what a step does shows every time.
        (long Thread, long Process, long Native)[] bytes =
            [.. Enumerable.Range(0, 4).Select(_ => MeasureDecode(model, logits))];

        Assert.All(bytes, measured => Assert.Equal(0, measured.Thread));
        Assert.Equal(0, bytes.Min(measured => measured.Process));
        Assert.All(bytes, measured => Assert.Equal(0, measured.Native));
    }

    private static (long Thread, long Process, long Native) MeasureDecode(KimiLinearModel model, float[] logits)
    {
        using SequenceState sequence = model.CreateSequence();
        model.Forward(sequence, [1], logits);
        long native = NativeBuffer.AllocatedBytes;
        long process = GC.GetTotalAllocatedBytes(precise: true);
        long thread = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < DecodeSteps; i++)
        {
            model.Forward(sequence, [i % 100], logits);
        }

        thread = GC.GetAllocatedBytesForCurrentThread() - thread;
        return (thread, GC.GetTotalAllocatedBytes(precise: true) - process, NativeBuffer.AllocatedBytes - native);
    }

    private static void CancelAt(CancellationTokenSource source, int count, int stop)
    {
        if (count == stop)
        {
            source.Cancel();
        }
    }

    private static void ThrowAt(int count, int stop)
    {
        if (count == stop)
        {
            throw new InvalidTimeZoneException();
        }
    }
}
