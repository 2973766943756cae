using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Tokenization;
using Xunit;

namespace KimiLinear.Tests.Tokenization;

public sealed class CodePointPreTokenizerTests
{
    // Characters that sit on the pattern's seams: each class, each contraction, each kind of space, Han that is no letter.
    private const string SeamCharacters =
        "aBzZǅʰªกไɐ̈ัाאن가のア世界々〇〡⺀⼀１²½Ⅷ٣7890"
        + " \t\r\n\v\f\u0085\u00A0\u2003\u2028\u3000\u001C\u200D'’sSſtTrReEvVmMlLdD_.,!?-(€©\uFFFD\0";

    [Fact]
    public void Enumerate_GoldenTexts_YieldsTheGoldenPieces()
    {
        Assert.Equal(1500, TokenizerGolden.Lines.Count);
        Assert.All(TokenizerGolden.Lines, line => Assert.Equal(line.Pieces, Split(line.Text)));
    }

    [Fact]
    public void Enumerate_PublishedMixedText_YieldsThePublishedPieces()
    {
        const string Text = "Hello世界! 今天是2024年3月15日。 The weather is 晴朗 (sunny) with 温度23°C. 我们去McDonald's吃午饭吧？ "
            + "Email me at: test用户@example.com 或者visit https://测试网站.cn/page123.";
        const string Pieces = "Hello|世界|!|␠|今天是|202|4|年|3|月|15|日|。|␠The|␠weather|␠is|␠|晴朗|␠(|sunny|)|␠with|␠|温度|23|°C|.|␠|"
            + "我们去|Mc|Donald's|吃午饭吧|？|␠Email|␠me|␠at|:|␠test|用户|@example|.com|␠|或者|visit|␠https|://|测试网站|.cn|/page|123|.";

        Assert.Equal(Pieces.Replace('␠', ' ').Split('|'), Split(Text));
    }

    [Theory]
    [InlineData("𐐀𐐨𐐨x", "𐐀𐐨𐐨x")] // letters beyond U+FFFF are letters
    [InlineData("a𠀀𠀁b", "a|𠀀𠀁|b")] // and Han
    [InlineData("𝟘𝟙𝟚𝟛", "𝟘𝟙𝟚|𝟛")] // and numbers, counted by code point
    [InlineData("1〇〡2", "1〇〡|2")] // Han numerals inside a run of numbers
    [InlineData("!⺀a", "!⺀|a")] // Han radicals inside a run of symbols
    [InlineData("HELLOWorld", "HELLOWorld")]
    [InlineData("ABCกDEF", "ABCก|DEF")] // the head gives back up to its last tail character
    [InlineData("isn'ſt", "isn'ſ|t")]
    [InlineData("x \n y", "x| \n| y")]
    [InlineData("x   ", "x|   ")]
    [InlineData("x   y", "x|  | y")]
    public void Enumerate_SeamCase_CutsThere(string text, string pieces) => Assert.Equal(pieces.Split('|'), Split(text));

    [Fact]
    public void Enumerate_AnyBasicPlaneText_MatchesTheRegularExpression()
    {
        // On the basic plane .NET can write the pattern, with the Han ranges spelled out and subtracted.
        const string Han = @"\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF"
            + @"\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9";
        const string Head = $@"[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}-[{Han}]]";
        const string Tail = $@"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}-[{Han}]]";
        const string Contraction = @"(?:'(?:[sSſtTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?";
        Regex pattern = new(
            $@"[{Han}]+|[^\r\n\p{{L}}\p{{N}}]?{Head}*{Tail}+{Contraction}|[^\r\n\p{{L}}\p{{N}}]?{Head}+{Tail}*{Contraction}"
            + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            RegexOptions.CultureInvariant);
        Gen<string> seams = Gen.Elements(SeamCharacters.AsEnumerable()).ArrayOf().Select(units => new string(units));
        Gen<string> basicPlane = ArbMap.Default.GeneratorFor<char>()
            .Select(unit => char.IsSurrogate(unit) ? '\uFFFD' : unit).ArrayOf().Select(units => new string(units));

        Prop.ForAll(Gen.OneOf(seams, seams, basicPlane).ToArbitrary(), text =>
            Assert.Equal(pattern.Matches(text).Select(match => match.Value), Split(text)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
    }

    [Fact]
    public void Enumerate_AnyText_PiecesJoinToTheText()
    {
        Gen<string> anyUnits = Gen.Choose(0, 0xFFFF).Select(unit => (char)unit).ArrayOf().Select(units => new string(units));

        Prop.ForAll(anyUnits.ToArbitrary(), text =>
        {
            string[] pieces = Split(text);

            Assert.DoesNotContain("", pieces);
            Assert.Equal(text, string.Concat(pieces));
        }).QuickCheckThrowOnFailure();
    }

    private static string[] Split(string text)
    {
        List<string> pieces = [];
        foreach ((int offset, int length) in new CodePointPreTokenizer(text))
        {
            pieces.Add(text.Substring(offset, length));
        }

        return [.. pieces];
    }
}
