using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;
using Xunit;

namespace KimiLinear.Tests.Scheduling;

public sealed class StepPlannerTests(TinyModel tiny) : IClassFixture<TinyModel>
{
    private const int MaxContextTokens = 1000;

    private readonly CallerShares _shares = new();
    private readonly List<EngineRequest> _running = [];

    [Fact]
    public void Plan_PieceLongerThanAStepWhileOthersWrite_IsTakenWhole()
    {
        StepPlanner planner = Create(new EngineOptions { MaxStepTokens = 8, PieceTokens = 16 });
        EngineRequest writer = Writer("writer");
        EngineRequest reader = Reader("reader", 40);

        List<PlannedEntry> plan = [];
        planner.Plan(_running, mayGuess: false, plan);

        Assert.Equal([writer, reader], plan.Select(entry => entry.Request));
        Assert.Equal([1, 16], plan.Select(entry => entry.TokenIds.Length));
        EndAll();
    }

    [Fact]
    public void Plan_PiecesOfSeveralPromptsWhileOthersWrite_AsManyAsAStepMayHave()
    {
        StepPlanner planner = Create(new EngineOptions { MaxStepTokens = 40, PieceTokens = 16 });
        Writer("writer");
        EngineRequest[] readers = [.. Enumerable.Range(0, 4).Select(i => Reader($"reader {i}", 40))];

        List<PlannedEntry> plan = [];
        planner.Plan(_running, mayGuess: false, plan);

        Assert.Equal(readers[..2], plan.Where(entry => entry.IsPiece).Select(entry => entry.Request));
        EndAll();
    }

    // Others got the places of those whose readers were behind.
    [Theory]
    [InlineData("a", "b", "c", "d")]
    [InlineData("a", "a", "a", "a")]
    [InlineData("a", "a", "b", "b")]
    public void Plan_MoreGoOnThanHavePlaces_TakeTurns(string one, string two, string three, string four)
    {
        StepPlanner planner = Create(new EngineOptions { MaxSequences = 2 });
        EngineRequest[] requests = [Writer(one), Writer(two), Writer(three), Reader(four, 40)];
        List<PlannedEntry> plan = [];
        Dictionary<EngineRequest, int> steps = requests.ToDictionary(request => request, _ => 0);

        for (int step = 0; step < 6; step++)
        {
            planner.Plan(_running, mayGuess: false, plan);
            Assert.Equal(2, plan.Count);
            foreach (PlannedEntry entry in plan)
            {
                steps[entry.Request]++;
            }

            planner.Complete(plan, milliseconds: 10);
        }

        Assert.All(steps.Values, count => Assert.InRange(count, 1, 5));
        EndAll();
    }

    private StepPlanner Create(EngineOptions options) =>
        new(options, new StepCost(tiny.Model.Config), _shares, MaxContextTokens);

    private EngineRequest Reader(string caller, int promptTokens)
    {
        EngineRequest request = EngineRequestTests.Create(tiny, [.. Enumerable.Range(0, promptTokens)], () => { }, caller);
        request.Admit(tiny.Model.CreateSequence(), _running.Count);
        _shares.Enter(request.Caller);
        _running.Add(request);
        return request;
    }

    private EngineRequest Writer(string caller)
    {
        EngineRequest request = Reader(caller, 3);
        float[] logits = new float[tiny.Model.Config.VocabularySize];
        tiny.Model.Forward(request.Sequence!, request.Prompt, logits);
        request.TakeLogits(logits, MaxContextTokens, TimeSpan.Zero, out _);
        return request;
    }

    private void EndAll()
    {
        foreach (EngineRequest request in _running)
        {
            request.Complete();
        }

        Assert.Equal(0, tiny.Model.SequenceCount);
    }
}
