using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

/// <summary>What cannot be run is refused before anything changes: the sequence goes on as if it had not been asked.</summary>
public sealed class ForwardArgumentTests : IDisposable
{
    private const string ModelName = "no-shared";

    private readonly KimiLinearModel _model = Backend.Load(Golden.Model(ModelName), Backend.Default);

    private int VocabularySize => _model.Config.VocabularySize;

    public void Dispose() => _model.Dispose();

    [Fact]
    public void Forward_SequenceOfAnotherModel_Throws()
    {
        using KimiLinearModel other = Backend.Load(Golden.Model(ModelName), Backend.Default);
        using SequenceState foreign = other.CreateSequence();

        ArgumentException exception = Assert.Throws<ArgumentException>(() => _model.Forward(foreign, [1], []));

        Assert.Equal("sequence", exception.ParamName);
        Assert.Equal(0, foreign.Length);
        AssertUnharmed(other, foreign);
    }

    [Fact]
    public void Forward_NullSequence_Throws()
    {
        ArgumentException exception = Assert.Throws<ArgumentNullException>(() => _model.Forward(null!, [1], []));

        Assert.Equal("sequence", exception.ParamName);
        AssertModelUnharmed();
    }

    [Fact]
    public void Forward_DisposedSequence_Throws()
    {
        SequenceState sequence = _model.CreateSequence();
        _model.Forward(sequence, [1], []);
        sequence.Dispose();

        Assert.Throws<ObjectDisposedException>(() => _model.Forward(sequence, [1], []));

        AssertModelUnharmed();
    }

    [Fact]
    public void Forward_NoTokens_Throws() => AssertRefused<ArgumentException>(
        sequence => _model.Forward(sequence, [], []), "tokenIds");

    [Fact]
    public void ForwardEveryToken_NoTokens_Throws() => AssertRefused<ArgumentException>(
        sequence => _model.ForwardEveryToken(sequence, [], []), "tokenIds");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public void Forward_IdAboveVocabulary_Throws(int excess) => AssertRefused<ArgumentOutOfRangeException>(
        sequence => _model.Forward(sequence, [1, excess == int.MaxValue ? excess : VocabularySize + excess], []), "tokenIds");

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void Forward_NegativeId_Throws(int id) => AssertRefused<ArgumentOutOfRangeException>(
        sequence => _model.Forward(sequence, [1, id], []), "tokenIds");

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(128)]
    public void Forward_LogitsOfWrongLength_Throws(int excess) => AssertRefused<ArgumentException>(
        sequence => _model.Forward(sequence, [1, 2], new float[VocabularySize + excess]), "logits");

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(-128)]
    [InlineData(-256)]
    public void ForwardEveryToken_LogitsOfWrongLength_Throws(int excess) => AssertRefused<ArgumentException>(
        sequence => _model.ForwardEveryToken(sequence, [1, 2], new float[(2 * VocabularySize) + excess]), "logits");

    [Fact]
    public void Forward_OneBadEntryInBatch_RefusesAllAndChangesNone()
    {
        using SequenceState good = _model.CreateSequence();
        using SequenceState bad = _model.CreateSequence();
        _model.Forward(good, [1, 2, 3], []);

        Assert.Throws<ArgumentOutOfRangeException>(() => _model.Forward(
            [
                new BatchEntry(good, new[] { 4 }, LogitsRequest.LastToken),
                new BatchEntry(bad, new[] { VocabularySize }, LogitsRequest.LastToken),
            ],
            new float[2 * VocabularySize]));

        Assert.Equal(3, good.Length);
        AssertUnharmed(_model, good, 1, 2, 3);
    }

    [Fact]
    public void Forward_DisposedSequenceInBatch_RefusesAllAndChangesNone()
    {
        using SequenceState good = _model.CreateSequence();
        SequenceState disposed = _model.CreateSequence();
        _model.Forward(good, [1, 2, 3], []);
        disposed.Dispose();

        Assert.Throws<ObjectDisposedException>(() => _model.Forward(
            [
                new BatchEntry(good, new[] { 4 }, LogitsRequest.LastToken),
                new BatchEntry(disposed, new[] { 5 }, LogitsRequest.LastToken),
            ],
            new float[2 * VocabularySize]));

        Assert.Equal(3, good.Length);
        AssertUnharmed(_model, good, 1, 2, 3);
    }

    [Fact]
    public void Forward_BeyondContextLimit_ThrowsAndLeavesRoomThatWasLeft()
    {
        const int Limit = 70;
        using TemporaryModelFolder folder = new(ModelName);
        folder.SetConfig("model_max_length", Limit);
        using KimiLinearModel model = Backend.Load(folder.Path, Backend.Default);
        using SequenceState sequence = model.CreateSequence();
        using SequenceState unlimited = _model.CreateSequence();
        int[] ids = [.. Enumerable.Range(0, Limit)];
        model.Forward(sequence, ids.AsSpan(0, 63), []);
        _model.Forward(unlimited, ids.AsSpan(0, 63), []);

        Assert.Throws<InvalidOperationException>(() => model.Forward(sequence, new int[8], []));
        Assert.Equal(63, sequence.Length);
        float[] logits = model.LastLogits(sequence, ids[63..]);
        InvalidOperationException full = Assert.Throws<InvalidOperationException>(() => model.Forward(sequence, [1], []));

        Assert.Equal(Limit, sequence.Length);
        Assert.Contains("70", full.Message, StringComparison.Ordinal);
        TensorAssert.Identical(logits, _model.LastLogits(unlimited, ids[63..]), "logits at the limit");
    }

    private void AssertRefused<TException>(Action<SequenceState> forward, string parameter)
        where TException : ArgumentException
    {
        using SequenceState sequence = _model.CreateSequence();
        _model.Forward(sequence, [1, 2, 3], []);

        TException exception = Assert.Throws<TException>(() => forward(sequence));

        Assert.Equal(parameter, exception.ParamName);
        Assert.Equal(3, sequence.Length);
        AssertUnharmed(_model, sequence, 1, 2, 3);
    }

    private void AssertModelUnharmed()
    {
        using SequenceState sequence = _model.CreateSequence();
        AssertUnharmed(_model, sequence);
    }

    // The next step gives what it gives a sequence of a model that was never asked for anything wrong.
    private static void AssertUnharmed(KimiLinearModel model, SequenceState sequence, params int[] past)
    {
        using KimiLinearModel fresh = Backend.Load(Golden.Model(ModelName), Backend.Default);
        using SequenceState other = fresh.CreateSequence();
        if (past.Length > 0)
        {
            fresh.Forward(other, past, []);
        }

        float[] expected = fresh.LastLogits(other, 4, 5);

        TensorAssert.Identical(model.LastLogits(sequence, 4, 5), expected, "logits afterwards");
    }
}
