using KimiLinear.ToolCalls;
using Xunit;

namespace KimiLinear.Tests.ToolCalls;

public sealed class NativeCallIdTests
{
    [Theory]
    [InlineData("get_weather", 0, "functions.get_weather:0")]
    [InlineData("a.b-c:9", 12, "functions.a.b-c:9:12")]
    public void TryParse_WhatCreateWrote_GivesItBack(string toolName, int index, string id)
    {
        Assert.Equal(id, NativeCallId.Create(toolName, index));
        Assert.True(NativeCallId.TryParse(id, out string? parsedName, out int parsedIndex));
        Assert.Equal((toolName, index), (parsedName, parsedIndex));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("functions.f")]
    [InlineData("functions.f:")]
    [InlineData("functions.:0")]
    [InlineData("functions.f:01")]
    [InlineData("functions.f:+1")]
    [InlineData("functions.f: 1")]
    [InlineData("functions.f:1 ")]
    [InlineData("functions.f:٣")]
    [InlineData("functions.f:1000000000")]
    [InlineData("functions.f:99999999999999999999")]
    [InlineData("f:0")]
    [InlineData("functions_f_0")]
    public void TryParse_AnotherForm_Fails(string? id)
    {
        Assert.False(NativeCallId.TryParse(id, out string? name, out int index));
        Assert.Null(name);
        Assert.Equal(0, index);
    }

    [Fact]
    public void Create_NegativeIndex_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => NativeCallId.Create("f", -1));
}
