using Kimi.Evaluation.Answers;
using Xunit;

namespace Kimi.Tests.Evaluation;

/// <summary>Where the answer of a worked solution stands, and when two answers are the same.</summary>
public sealed class MathAnswerTests
{
    [Theory]
    [InlineData("So the answer is \\boxed{42}.", "42")]
    [InlineData("First \\boxed{1}, no: \\boxed{\\frac{1}{2}}", "\\frac{1}{2}")]
    [InlineData("\\boxed{\\{1, \\{2\\}\\}} done", "\\{1, \\{2\\}\\}")]
    [InlineData("cut off in \\boxed{12", "12")]
    [InlineData("\\boxed 7$", "7")]
    [InlineData("Final Answer: The final answer is $3x$. I hope it is correct. \\boxed{9}", "3x")]
    [InlineData("the answer is 5. But no, the answer is 6.", "6")]
    [InlineData("The answer is: 12\nThat was easy.", "12")]
    [InlineData("So my final answer is 8.", "8")]
    [InlineData("所以答案是 15", "15")]
    [InlineData("ANSWER: B", "B")]
    [InlineData("We pay 1,234 and then 5,678.50 dollars", "5678.50")]
    [InlineData("minus -3", "-3")]
    [InlineData("no idea", null)]
    [InlineData("", null)]
    public void Extract_Reply_TakesTheFinalAnswer(string reply, string? expected) =>
        Assert.Equal(expected, MathAnswer.Extract(reply));

    [Theory]
    [InlineData("18", "18")]
    [InlineData("18.0", "18")]
    [InlineData("$18", "18")]
    [InlineData("1,234", "1234")]
    [InlineData("10{,}000", "10000")]
    [InlineData("12\\text{ miles}", "12")]
    [InlineData("5 dollars", "5")]
    [InlineData("30^\\circ", "30")]
    [InlineData("x = 5", "5")]
    [InlineData("\\dfrac{3}{4}", "\\frac{3}{4}")]
    [InlineData("\\frac34", "\\frac{3}{4}")]
    [InlineData("3/4", "\\frac{3}{4}")]
    [InlineData("0.75", "\\frac{3}{4}")]
    [InlineData("-\\frac{1}{2}", "-0.5")]
    [InlineData(".5", "0.5")]
    [InlineData("50\\%", "50")]
    [InlineData("0.5", "50\\%")]
    [InlineData("seven", "7")]
    [InlineData("\\text{Odd}", "odd")]
    [InlineData("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})")]
    [InlineData("(1, 2.0)", "(1,2)")]
    [InlineData("[0, \\infty)", "[0,infinity)")]
    [InlineData("3, -1", "-1,3")]
    [InlineData("\\{2, 1\\}", "\\{1,2\\}")]
    [InlineData("\\begin{bmatrix}1 & 0.5\\\\ 3 & 4\\end{bmatrix}", "\\begin{pmatrix}1&\\frac{1}{2}\\\\3&4\\end{pmatrix}")]
    [InlineData("\\sqrt2", "\\sqrt{2}")]
    [InlineData("The choice (C)", "C")]
    [InlineData("0.33333", "\\frac{1}{3}")]
    public void Compare_SameAnswers_AreEqual(string given, string right) =>
        Assert.Equal(MathComparison.Equal, MathEquality.Compare(given, right));

    [Theory]
    [InlineData("18", "19")]
    [InlineData("1.2", "12")]
    [InlineData("0.334", "\\frac{1}{3}")]
    [InlineData("-5", "5")]
    [InlineData("1/0", "0")]
    public void Compare_OtherNumbers_AreDifferent(string given, string right) =>
        Assert.NotEqual(MathComparison.Equal, MathEquality.Compare(given, right));

    [Theory]
    [InlineData("(2,1)", "(1,2)")]
    [InlineData("(1,2]", "(1,2)")]
    [InlineData("(1,2,3)", "(1,2)")]
    [InlineData("2\\sqrt{3}", "\\sqrt{12}")]
    [InlineData("x+1", "1+x")]
    [InlineData("B", "C")]
    public void Compare_OtherExpressions_AreLeftToAlgebra(string given, string right) =>
        Assert.Equal(MathComparison.Unknown, MathEquality.Compare(given, right));
}
