using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Chat;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.Chat;

public sealed class CallNumberingTests
{
    [Fact]
    public void Renumber_ForeignIds_CountsThroughTheConversationAndRewritesResults()
    {
        ChatTurn[] turns =
        [
            new("user", "Hi"), Calls("call_a f", "call_b g"), Result("call_b"), Result("call_a"), new("assistant", "Done"),
            Calls("x g"), Result("x"),
        ];

        IReadOnlyList<ChatTurn> renumbered = CallNumbering.Renumber(turns);

        Assert.Equal(
            ["functions.f:0", "functions.g:1", "=functions.g:1", "=functions.f:0", "functions.g:2", "=functions.g:2"],
            Ids(renumbered));
        Assert.Same(turns[0], renumbered[0]);
        Assert.Equal("call_a", turns[1].ToolCalls[0].Id);
        Assert.Equal("x", turns[^1].ToolCallId);
    }

    [Theory]
    [InlineData("functions.f:0 f, functions.g:1 g", "functions.f:0, functions.g:1")]
    [InlineData("functions.f:5 f, functions.g:9 g", "functions.f:5, functions.g:9")]
    [InlineData("functions.f:5 f, call_x g, functions.f:6 f", "functions.f:5, functions.g:6, functions.f:7")]
    [InlineData("functions.f:0 f, functions.f:0 f", "functions.f:0, functions.f:1")]
    [InlineData("functions.f:7 g, functions.f:007 f, functions.f:x f", "functions.g:0, functions.f:1, functions.f:2")]
    [InlineData("functions.f:999999 f, functions.f:1000000 f", "functions.f:999999, functions.f:1000000")]
    [InlineData("functions.f:1000000 f, functions.f:99999999999 f", "functions.f:0, functions.f:1")]
    public void Renumber_NativeIds_StayWhereTheyAreConsistent(string calls, string expected)
    {
        ChatTurn[] turns = [.. calls.Split(", ").SelectMany(call => new[] { Calls(call), Result(call.Split(' ')[0]) })];

        IReadOnlyList<ChatTurn> renumbered = CallNumbering.Renumber(turns);

        Assert.Equal(expected.Split(", ").SelectMany(id => new[] { id, "=" + id }), Ids(renumbered));
    }

    [Fact]
    public void Renumber_OneIdForSeveralCallsOfAGroup_AnswersThemInOrder()
    {
        ChatTurn[] turns =
        [
            Calls("0 f"), Calls("0 f", "0 g"), Result("0"), Result("0"), Result("0"), Result("0"),
            new("user", "again"), Calls("0 f"), Result("0"),
        ];

        Assert.Equal(
            [
                "functions.f:0", "functions.f:1", "functions.g:2", "=functions.f:0", "=functions.f:1", "=functions.g:2",
                "=functions.g:2", "functions.f:3", "=functions.f:3",
            ],
            Ids(CallNumbering.Renumber(turns)));
    }

    [Fact]
    public void Renumber_CallNeverAnswered_DoesNotTakeALaterResult()
    {
        ChatTurn[] turns = [Calls("0 f"), new("user", "wait"), Calls("0 f"), Result("0")];

        Assert.Equal(["functions.f:0", "functions.f:1", "=functions.f:1"], Ids(CallNumbering.Renumber(turns)));
    }

    [Fact]
    public void Renumber_ResultsWithoutACall_StayAsTheyAre()
    {
        ChatTurn[] turns = [Result("functions.f:3"), new("tool", "x"), Calls("a g"), Result("b")];

        Assert.Equal(["=functions.f:3", "functions.g:0", "=b"], Ids(CallNumbering.Renumber(turns)));
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("call_a f, call_b f", 2)]
    [InlineData("functions.f:7 f, functions.f:3 f", 9)]
    [InlineData("functions.f:40 g", 41)]
    public void NextCallIndex_AnyHistory_IsAboveEveryIndexSeen(string calls, int expected)
    {
        ChatTurn[] turns = [.. calls.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(call => Calls(call))];

        Assert.Equal(expected, CallNumbering.NextCallIndex(turns));
    }

    [Fact]
    public void NextCallIndex_OnlyAResultIsLeft_CountsIt() =>
        Assert.Equal(4, CallNumbering.NextCallIndex([Result("functions.f:3")]));

    [Fact]
    public void Renumber_AnyHistory_GivesRisingIdsThatStayWhenItGrows()
    {
        Gen<string> ids = Gen.Elements(
            "functions.f:0", "functions.f:2", "functions.g:1", "functions.f:999999", "functions.f:999999999", "call_a", "", "0");
        Gen<ChatTurn> turn = Gen.OneOf(
            ids.Select(Result),
            Gen.Zip(ids, Gen.Elements("f", "g")).ListOf()
                .Select(calls => Calls([.. calls.Select(call => $"{call.Item1} {call.Item2}")])),
            Gen.Constant(new ChatTurn("user", "x")));

        Prop.ForAll(turn.ArrayOf().ToArbitrary(), turns =>
        {
            IReadOnlyList<ChatTurn> once = CallNumbering.Renumber(turns);
            int[] indices = [.. once.SelectMany(next => next.ToolCalls).Select(call => Index(call.Id, call.Name))];
            string grown = string.Join(' ', Ids(CallNumbering.Renumber([.. turns, Calls("late f")])));

            Assert.Equal(indices.Order().Distinct(), indices);
            Assert.StartsWith(string.Join(' ', Ids(once)), grown, StringComparison.Ordinal);
            Assert.Equal(Ids(once), Ids(CallNumbering.Renumber(once)));
            Assert.All(indices, index => Assert.InRange(index, 0, CallNumbering.NextCallIndex(turns) - 1));
        }).QuickCheckThrowOnFailure();
    }

    private static int Index(string id, string name)
    {
        Assert.StartsWith($"functions.{name}:", id, StringComparison.Ordinal);
        return int.Parse(id[(id.LastIndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }

    // "id name"
    private static ChatTurn Calls(params string[] calls) => new("assistant")
    {
        ToolCalls = [.. calls.Select(call => call.Split(' ')).Select(call => new ToolCall(call[0], call[1], "{}"))],
    };

    private static ChatTurn Result(string id) => new("tool", "x") { ToolCallId = id };

    // The ids of calls and, after "=", of results.
    private static IEnumerable<string> Ids(IEnumerable<ChatTurn> turns) => turns.SelectMany(
        turn => turn.ToolCalls.Select(call => call.Id).Concat(turn.ToolCallId is { } id ? ["=" + id] : []));
}
