using KimiLinear.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class HubSettingsTests : IDisposable
{
    private static readonly string Home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("/cache", "HF_HUB_CACHE=/cache", "HUGGINGFACE_HUB_CACHE=/legacy", "HF_HOME=/home")]
    [InlineData("/legacy", "HUGGINGFACE_HUB_CACHE=/legacy", "HF_HOME=/home")]
    [InlineData("/home/hub", "HF_HOME=/home", "XDG_CACHE_HOME=/xdg")]
    [InlineData("/xdg/huggingface/hub", "XDG_CACHE_HOME=/xdg", "HF_HUB_CACHE=")]
    [InlineData("~/models", "HF_HUB_CACHE=~/models")]
    [InlineData("~/.cache/huggingface/hub")]
    public void Read_Cache_IsFoundAsPythonFindsIt(string expected, params string[] variables) =>
        Assert.Equal(
            Path.GetFullPath(expected.Replace("~", Home, StringComparison.Ordinal)),
            HubSettings.Read(Options(variables)).CacheFolder);

    [Fact]
    public void Read_CacheByOption_Wins() => Assert.Equal(
        Path.GetFullPath("/mine"), HubSettings.Read(Options("HF_HUB_CACHE=/cache") with { CacheFolder = "/mine" }).CacheFolder);

    [Theory]
    [InlineData("https://huggingface.co")]
    [InlineData("https://mirror.example/hf", "HF_ENDPOINT=https://mirror.example/hf/")]
    [InlineData("http://mirror.example:8080", "HF_ENDPOINT=http://user:password@mirror.example:8080/?x=1")]
    public void Read_Endpoint_IsHostAndPath(string expected, params string[] variables) =>
        Assert.Equal(expected, HubSettings.Read(Options(variables)).Endpoint);

    [Theory]
    [InlineData("mirror.example")]
    [InlineData("ftp://mirror.example")]
    [InlineData("/folder")]
    public void Read_EndpointThatIsNone_SaysSo(string endpoint)
    {
        ModelHubException exception =
            Assert.Throws<ModelHubException>(() => HubSettings.Read(Options($"HF_ENDPOINT={endpoint}")));

        Assert.Contains($"'{endpoint}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("HF_ENDPOINT", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "1")]
    [InlineData(true, "on")]
    [InlineData(true, "Yes")]
    [InlineData(true, "TRUE")]
    [InlineData(false, "0")]
    [InlineData(false, "")]
    public void Read_OfflineVariable_IsReadAsPythonReadsIt(bool expected, string value) =>
        Assert.Equal(expected, HubSettings.Read(Options($"HF_HUB_OFFLINE={value}")).IsOffline);

    [Fact]
    public void Token_Sources_AreTriedInOrder()
    {
        string home = _folder.Path;
        _folder.Write("token", "from-home\n"u8);
        string other = _folder.Write("other", "from-path\n"u8);

        Assert.Equal("given", Token(Options($"HF_HOME={home}", "HF_TOKEN=variable") with { Token = "given" }));
        Assert.Equal("", Token(Options($"HF_HOME={home}", "HF_TOKEN=variable") with { Token = "" }));
        Assert.Equal("variable", Token(Options($"HF_HOME={home}", "HF_TOKEN= variable\n", $"HF_TOKEN_PATH={other}")));
        Assert.Equal("from-path", Token(Options($"HF_HOME={home}", $"HF_TOKEN_PATH={other}")));
        Assert.Equal("from-home", Token(Options($"HF_HOME={home}")));
        Assert.Equal("", Token(Options($"HF_HOME={home}/none")));
    }

    [Fact]
    public void Token_WithALineInside_IsRefusedAndNotShown()
    {
        ModelHubException exception = Assert.Throws<ModelHubException>(() => Token(Options("HF_TOKEN=secret\nother")));

        Assert.Contains("HF_TOKEN", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToString_OptionsWithAToken_DoesNotShowIt() => Assert.DoesNotContain(
        "secret", new ModelHubOptions { Token = "secret" }.ToString(), StringComparison.Ordinal);

    private static string Token(ModelHubOptions options) => HubSettings.Read(options).Token();

    private static ModelHubOptions Options(params string[] variables)
    {
        Dictionary<string, string> values = variables.Select(variable => variable.Split('=', 2)).ToDictionary(x => x[0], x => x[1]);
        return new ModelHubOptions { Variable = values.GetValueOrDefault };
    }
}
