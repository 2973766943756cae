using System.Globalization;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class DecimalRangeTests
{
    [Theory]
    [InlineData(0, 0, 1, 0)]
    [InlineData(5, 20, 1, 0)]
    [InlineData(-12, 7, 1, 0)]
    [InlineData(-999, -100, 1, 0)]
    [InlineData(98, 1003, 7, 0)]
    [InlineData(-50, 60, 10, 0)]
    [InlineData(-5, 5, 1, 1)]
    [InlineData(125, 3875, 1, 2)]
    [InlineData(-1999, 2001, 25, 2)]
    [InlineData(1, 9, 1, 2)]
    [InlineData(-9, -1, 3, 1)]
    public void ToAutomaton_SmallRange_AcceptsExactlyTheNumbersInIt(int minimum, int maximum, int step, int fractionDigits)
    {
        CodePointAutomaton automaton = new DecimalRange(minimum, maximum, step, fractionDigits, SignificantDigits: 6).ToAutomaton(10_000)!;
        decimal unit = (decimal)Math.Pow(10, -fractionDigits);

        foreach (string text in Spellings(fractionDigits))
        {
            decimal value = decimal.Parse(text, CultureInfo.InvariantCulture);
            bool isZeroWithSign = value == 0 && text[0] == '-';
            bool expected = !isZeroWithSign && value >= minimum * unit && value <= maximum * unit && value % (step * unit) == 0;

            Assert.True(expected == Accepts(automaton, text), $"{text}: expected {expected}");
        }
    }

    [Theory]
    [InlineData("01")]
    [InlineData("-")]
    [InlineData("1.")]
    [InlineData(".5")]
    [InlineData("+1")]
    [InlineData("1e1")]
    [InlineData("")]
    public void ToAutomaton_NoJsonNumber_IsNotAccepted(string text) =>
        Assert.False(Accepts(new DecimalRange(-1000, 1000, 1, 1, 6).ToAutomaton(10_000)!, text));

    [Fact]
    public void ToAutomaton_EmptyRange_AcceptsNothing() =>
        Assert.Equal(0, new DecimalRange(11, 19, 10, 0, 6).ToAutomaton(10_000)!.StateCount);

    [Fact]
    public void ToAutomaton_BoundsOfInt64_HasFewStates()
    {
        CodePointAutomaton automaton = new DecimalRange(long.MinValue, long.MaxValue, 1, 0, 19).ToAutomaton(10_000)!;

        Assert.True(Accepts(automaton, "9223372036854775807"));
        Assert.True(Accepts(automaton, "-9223372036854775808"));
        Assert.False(Accepts(automaton, "9223372036854775808"));
        Assert.False(Accepts(automaton, "-9223372036854775809"));
        Assert.InRange(automaton.StateCount, 20, 200);
    }

    private static IEnumerable<string> Spellings(int fractionDigits) =>
        from sign in new[] { "", "-" }
        from integer in Enumerable.Range(0, 1100)
        from fraction in Fractions(fractionDigits)
        select $"{sign}{integer}{fraction}";

    private static IEnumerable<string> Fractions(int digits) => Enumerable.Range(0, digits + 1).SelectMany(length => length == 0
        ? [""]
        : Enumerable.Range(0, (int)Math.Pow(10, length)).Select(value => "." + value.ToString($"D{length}", CultureInfo.InvariantCulture)));

    private static bool Accepts(CodePointAutomaton automaton, string text)
    {
        int state = 0;
        foreach (char character in text)
        {
            int[] targets = [.. automaton.Transitions(state).Where(step => step.On.Contains(character)).Select(step => step.Target)];
            if (targets.Length == 0)
            {
                return false;
            }

            state = targets.Single();
        }

        return automaton.IsEnd(state);
    }
}
