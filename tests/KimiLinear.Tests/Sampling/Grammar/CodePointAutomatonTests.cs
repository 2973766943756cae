using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

/// <summary>Automata over code points, against every short text.</summary>
public sealed class CodePointAutomatonTests
{
    private const int LongestText = 8;

    [Theory]
    [InlineData("^a*$")]
    [InlineData("^(a|bb){1,3}$")]
    [InlineData("^a{2}(b|a{3})?$")]
    [InlineData("^(ab*|b{2,4}|a{0,5}b)$")]
    [InlineData("^a?(b(a|bab))?$")]
    [InlineData("^$")]
    [InlineData("^[^\\s\\S]$")]
    [InlineData("ab")]
    public void WithLength_AnyBounds_LeavesTheTextsBetweenThem(string pattern)
    {
        CodePointAutomaton automaton = PatternCompiler.TryCompile(pattern, 1000)!;
        for (int minimum = 0; minimum <= LongestText; minimum++)
        {
            for (int maximum = -1; maximum <= LongestText; maximum++)
            {
                CodePointAutomaton bounded = automaton.WithLength(minimum, maximum, 1000)!;
                foreach (string text in Texts())
                {
                    bool isInside = text.Length >= minimum && (maximum < 0 || text.Length <= maximum);
                    Assert.Equal(isInside && automaton.Matches(text), bounded.Matches(text));
                }
            }
        }
    }

    [Theory]
    [InlineData("^[ab]{1,64}-[ab]{1,64}$", 0, 129)]
    [InlineData("^[ab]{1,64}-[ab]{1,64}$", 3, -1)]
    [InlineData("^[ab]{1,64}-[ab]{1,64}$", 1, 500)]
    public void WithLength_BoundsThatHoldAnyway_TakeNoMoreStates(string pattern, int minimum, int maximum)
    {
        CodePointAutomaton automaton = PatternCompiler.TryCompile(pattern, 1000)!;

        Assert.Equal(automaton.StateCount, automaton.WithLength(minimum, maximum, 1000)!.StateCount);
    }

    private static IEnumerable<string> Texts() => Enumerable.Range(0, LongestText + 1).SelectMany(length =>
        Enumerable.Range(0, 1 << length).Select(bits =>
            string.Concat(Enumerable.Range(0, length).Select(index => (bits >> index & 1) == 0 ? 'a' : 'b'))));
}
