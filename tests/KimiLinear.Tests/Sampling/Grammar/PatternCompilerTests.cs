using System.Text.RegularExpressions;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class PatternCompilerTests
{
    private const string Alphabet = "ab{01_- .\nxé世\"\\";

    [Theory]
    [InlineData("a")]
    [InlineData("^a")]
    [InlineData("a$")]
    [InlineData("^(a|b)*$")]
    [InlineData("^a{2,3}b?$")]
    [InlineData("^a{2}$|^b{3,}$")]
    [InlineData("[^ab]")]
    [InlineData("^[a-b0-1]+$")]
    [InlineData("^(?:-?(?:0|[1-9]\\d*))$")]
    [InlineData("^\\w+\\s\\W$")]
    [InlineData("(^a|b$)")]
    [InlineData("^(a+b)+?$")]
    [InlineData("^(?<n>ab|ba){1,2}\\.$")]
    [InlineData("^(a*)*$")]
    [InlineData("^$")]
    [InlineData("\\x61\\u4e16?$")]
    [InlineData("^[\\]\\-a]$")]
    [InlineData("^a{|b{1$")]
    public void TryCompile_Pattern_MatchesWhatTheFrameworkMatches(string pattern)
    {
        CodePointAutomaton automaton = PatternCompiler.TryCompile(pattern, 1000)!;
        Random random = new(42);
        int matchCount = 0;

        for (int i = 0; i < 4000; i++)
        {
            string text = new([.. Enumerable.Range(0, random.Next(6)).Select(_ => Alphabet[random.Next(i % 2 == 0 ? 3 : Alphabet.Length)])]);
            bool expected = Regex.IsMatch(text, pattern.Replace("$", "\\z"), RegexOptions.ECMAScript);

            Assert.True(expected == Matches(automaton, text), $"{pattern} on {text}: expected {expected}");
            matchCount += expected ? 1 : 0;
        }

        Assert.InRange(matchCount, 1, 3999);
    }

    [Theory]
    [InlineData("(?=a)")]
    [InlineData("(?!a)")]
    [InlineData("(?<=a)b")]
    [InlineData("(a)\\1")]
    [InlineData("\\bword\\b")]
    [InlineData("\\p{L}")]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[b-a]")]
    [InlineData("[a")]
    [InlineData("*a")]
    [InlineData("a{3,2}")]
    [InlineData("\\")]
    [InlineData("a{2000}")]
    public void TryCompile_WhatIsNotSupported_IsNull(string pattern) => Assert.Null(PatternCompiler.TryCompile(pattern, 1000));

    [Fact]
    public void TryCompile_TooManyStates_IsNull() => Assert.Null(PatternCompiler.TryCompile("a.{12}$", 1000));

    [Fact]
    public void TryCompile_SurrogatePair_IsOneCharacter()
    {
        CodePointAutomaton automaton = PatternCompiler.TryCompile("^.[\\u{1F600}-\\u{1F602}]$", 100)!;

        Assert.True(Matches(automaton, "😂😀"));
        Assert.False(Matches(automaton, "😀😂😀"));
    }

    private static bool Matches(CodePointAutomaton automaton, string text)
    {
        int state = 0;
        foreach (int codePoint in text.EnumerateRunes().Select(rune => rune.Value))
        {
            int[] targets = [.. automaton.Transitions(state).Where(step => step.On.Contains(codePoint)).Select(step => step.Target)];
            if (targets.Length == 0)
            {
                return false;
            }

            state = targets.Single();
        }

        return automaton.StateCount > 0 && automaton.IsEnd(state);
    }
}
