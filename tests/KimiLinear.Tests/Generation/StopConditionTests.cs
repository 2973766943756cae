using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Generation;
using Xunit;

namespace KimiLinear.Tests.Generation;

public sealed class StopConditionTests
{
    [Fact]
    public void Accept_NoStopSequences_ReturnsTheSameString()
    {
        var stop = new StopCondition([]);
        string text = new('a', 5);

        Assert.Same(text, stop.Accept(text));
        Assert.Equal("", stop.Flush());
    }

    [Fact]
    public void Accept_NothingHeldBack_ReturnsTheSameString()
    {
        var stop = new StopCondition(["STOP"]);
        string text = new('a', 5);

        Assert.Same(text, stop.Accept(text));
    }

    [Fact]
    public void Accept_StopAcrossPieces_HoldsBackAndNeverShowsIt()
    {
        var stop = new StopCondition(["\nUser:"]);

        string[] shown = [stop.Accept("Hi\n"), stop.Accept("Us"), stop.Accept("er"), stop.Accept(": more")];

        Assert.Equal(["Hi", "", "", ""], shown);
        Assert.True(stop.IsReached);
        Assert.Equal("", stop.Flush());
    }

    [Fact]
    public void Accept_BeginningOfAStopThatGoesOnOtherwise_ShowsItAfterAll()
    {
        var stop = new StopCondition(["\nUser:"]);

        string[] shown = [stop.Accept("Hi\n"), stop.Accept("Us"), stop.Accept("e\n"), stop.Flush()];

        Assert.Equal(["Hi", "", "\nUse", "\n"], shown);
        Assert.False(stop.IsReached);
    }

    [Theory]
    [InlineData("abcd", "a", "abcd", "bc")] // the one complete first
    [InlineData("xabc", "x", "abc", "bc")] // both complete at once: the longest
    [InlineData("aaab", "a", "aab")] // a match that begins inside a failed one
    [InlineData("xay", "x", "a", "a")]
    public void Accept_SeveralOrOverlappingStops_EndsWhereTheFirstIsComplete(string text, string expected, params string[] stops)
    {
        var stop = new StopCondition(stops);

        Assert.Equal(expected, stop.Accept(text));
        Assert.True(stop.IsReached);
    }

    [Fact]
    public void Accept_AnyTextInAnyPieces_ShowsWhatStandsBeforeTheFirstStop()
    {
        Gen<string> word = Gen.Elements('a', 'b', 'c').ListOf().Select(letters => string.Concat(letters));
        Gen<(List<string> Pieces, string[] Stops)> cases =
            from pieces in word.ListOf()
            from stops in word.Where(stop => stop.Length > 0).ListOf()
            select (pieces.ToList(), stops.Take(3).ToArray());

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(Arb.From(cases), given =>
        {
            var stop = new StopCondition(given.Stops);
            var shown = new StringBuilder();
            string read = "";
            foreach (string piece in given.Pieces.TakeWhile(_ => !stop.IsReached))
            {
                read += piece;
                shown.Append(stop.Accept(piece));
                Assert.Equal(Showable(read, given.Stops), shown.ToString());
            }

            shown.Append(stop.Flush());
            string whole = string.Concat(given.Pieces);
            Assert.Equal(BeforeFirstStop(whole, given.Stops) ?? whole, shown.ToString());
            Assert.Equal(BeforeFirstStop(whole, given.Stops) is not null, stop.IsReached);
        }));
    }

    private static string? BeforeFirstStop(string text, string[] stops)
    {
        for (int end = 1; end <= text.Length; end++)
        {
            string? stop = stops.Where(text[..end].EndsWith).MaxBy(stop => stop.Length);
            if (stop is not null)
            {
                return text[..(end - stop.Length)];
            }
        }

        return null;
    }

    // All but the longest end of the text that begins a stop sequence: nothing is held back without need.
    private static string Showable(string text, string[] stops)
    {
        int held = Enumerable.Range(0, text.Length + 1)
            .Last(length => length == 0 || stops.Any(stop => stop.StartsWith(text[^length..], StringComparison.Ordinal)));
        return BeforeFirstStop(text, stops) ?? text[..^held];
    }
}
