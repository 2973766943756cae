using KimiLinear.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class HubModelNameTests
{
    [Theory]
    [InlineData("cerebras/Kimi-Linear-REAP-35B-A3B-Instruct", "cerebras/Kimi-Linear-REAP-35B-A3B-Instruct", "main", null)]
    [InlineData("a/b@v1.0", "a/b", "v1.0", null)]
    [InlineData("a/b@refs/pr/1", "a/b", "refs/pr/1", null)]
    [InlineData("a_1/b.c@0123456789abcdef0123456789abcdef01234567", "a_1/b.c", "0123456789abcdef0123456789abcdef01234567", null)]
    [InlineData("a/b:x.gguf", "a/b", "main", "x.gguf")]
    [InlineData("a/b-GGUF@dev:Q4/x-00001-of-00002.GGUF", "a/b-GGUF", "dev", "Q4/x-00001-of-00002.GGUF")]
    public void TryParse_Name_IsTakenApart(string text, string repository, string revision, string? file)
    {
        Assert.True(HubModelName.TryParse(text, out HubModelName? name));

        Assert.Equal((repository, revision, file), (name.Repository, name.Revision, name.File));
        Assert.Equal(text, name.ToString());
        Assert.True(ModelHub.IsName(text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("model")]
    [InlineData("a/b/c")]
    [InlineData("/a/b")]
    [InlineData("./b")]
    [InlineData("../b")]
    [InlineData("a/..")]
    [InlineData("~/b")]
    [InlineData("a/b/")]
    [InlineData("a\\b")]
    [InlineData("C:/b")]
    [InlineData("C:\\a\\b")]
    [InlineData("a/b c")]
    [InlineData("a--x/b")]
    [InlineData("a/b.git")]
    [InlineData("models/file.gguf")]
    [InlineData("a/b@")]
    [InlineData("a/b@../x")]
    [InlineData("a/b@/x")]
    [InlineData("a/b@x//y")]
    [InlineData("a/b@.x")]
    [InlineData("a/b@-x")]
    [InlineData("a/b@x\\y")]
    [InlineData("a/b@x\n")]
    [InlineData("a/b:")]
    [InlineData("a/b:x.bin")]
    [InlineData("a/b:../x.gguf")]
    [InlineData("a/b:/x.gguf")]
    [InlineData("a/b:x\\y.gguf")]
    [InlineData("a/b:x.gguf@main")]
    public void TryParse_Other_IsNoName(string text)
    {
        Assert.False(HubModelName.TryParse(text, out _));
        Assert.False(ModelHub.IsName(text));
    }

    [Fact]
    public void TryParse_LongName_IsNoName()
    {
        Assert.True(ModelHub.IsName($"a/{new string('b', 94)}"));
        Assert.False(ModelHub.IsName($"a/{new string('b', 95)}"));
        Assert.False(ModelHub.IsName($"a/b@{new string('r', 251)}"));
    }
}
