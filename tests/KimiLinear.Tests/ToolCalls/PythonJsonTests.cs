using System.Text.Json;
using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

/// <summary>The expected texts were written by CPython's json module.</summary>
public sealed class PythonJsonTests
{
    [Theory]
    [InlineData("0", "0")]
    [InlineData("-0", "0")]
    [InlineData("1.0", "1.0")]
    [InlineData("1e5", "100000.0")]
    [InlineData("1E5", "100000.0")]
    [InlineData("-0.0", "-0.0")]
    [InlineData("0e0", "0.0")]
    [InlineData("0.1", "0.1")]
    [InlineData("100.50", "100.5")]
    [InlineData("12345.678e3", "12345678.0")]
    [InlineData("1e15", "1000000000000000.0")]
    [InlineData("1e16", "1e+16")]
    [InlineData("1e-4", "0.0001")]
    [InlineData("1e-5", "1e-05")]
    [InlineData("0.00001234", "1.234e-05")]
    [InlineData("1e22", "1e+22")]
    [InlineData("1.5e300", "1.5e+300")]
    [InlineData("5e-324", "5e-324")]
    [InlineData("1.7976931348623157e308", "1.7976931348623157e+308")]
    [InlineData("9007199254740993.0", "9007199254740992.0")]
    [InlineData("1e400", "Infinity")]
    [InlineData("-1e400", "-Infinity")]
    [InlineData("123456789012345678", "123456789012345678")]
    [InlineData("123456789012345678901234567890", "123456789012345678901234567890")]
    public void WriteSorted_Number_IsWrittenAsPythonWritesIt(string number, string expected) =>
        Assert.Equal(expected, PythonJson.WriteSorted(JsonElement.Parse(number)));

    [Fact]
    public void WriteSorted_NestedObjects_SortsKeysByCodePointAndKeepsTheLastOfTwo()
    {
        const string Json = """{"\uE000": 1, "\uD83D\uDE00": 2, "B": 3, "a": 4, "é": [{"z": 1, "b": []}], "a": 5}""";

        string written = PythonJson.WriteSorted(JsonElement.Parse(Json));

        Assert.Equal("{\"B\":3,\"a\":5,\"é\":[{\"b\":[],\"z\":1}],\"\uE000\":1,\"\U0001F600\":2}", written);
    }

    [Fact]
    public void WriteSpaced_Object_KeepsItsOrderAndPutsSpaces() =>
        Assert.Equal(
            """{"b": [1, {}], "a": null, "c": [true, false]}""",
            PythonJson.WriteSpaced(JsonElement.Parse("""{"b":[1,{}],"a":null,"c":[true,false]}""")));

    [Fact]
    public void WriteSpaced_EveryKindOfCharacter_EscapesOnlyWhatPythonEscapes()
    {
        string text = string.Concat(Enumerable.Range(0, 33).Select(code => (char)code)) + "\"\\/<>&\u007F\u2028é😀";

        string written = PythonJson.WriteSpaced(JsonSerializer.SerializeToElement(text));

        Assert.Equal(
            @"""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013"
            + @"\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f \""\\/<>&" + "\u007F\u2028é😀\"",
            written);
    }

    [Theory]
    [InlineData("""{"\uD800": 1}""")]
    [InlineData("""["\uDC00"]""")]
    public void WriteSorted_HalfSurrogatePair_Throws(string json) =>
        Assert.Throws<JsonException>(() => PythonJson.WriteSorted(JsonElement.Parse(json)));
}
