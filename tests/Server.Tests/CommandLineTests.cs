using System.CommandLine;
using System.Net;
using KimiLinear.Tensors;
using KimiServer.CommandLine;
using KimiServer.Hosting;
using Xunit;

namespace KimiServer.Tests;

/// <summary>The flags of vllm serve: taken, or answered with what replaces them.</summary>
public sealed class CommandLineTests
{
    [Fact]
    public void Parse_FlagsPeopleKnow_BecomeSettings()
    {
        ServerSettings settings = Settings(
            "MODEL", "--host", "0.0.0.0", "--port", "9000", "--api-key", "a", "--api-key", "b", "--served-model-name", "x", "y",
            "--max-num-seqs", "32", "--max-model-len", "8k", "--enable-auto-tool-choice", "--tool-call-parser", "kimi_k2",
            "--trust-remote-code", "--tensor-parallel-size", "1", "--dtype", "auto");

        Assert.Equal("MODEL", settings.Model.ModelPath);
        Assert.Equal((IPAddress.Any, 9000), (settings.Address, settings.Port));
        Assert.Equal(["a", "b"], settings.ApiKeys);
        Assert.Equal(["x", "y"], settings.ServedModelNames);
        Assert.Equal((32, 8000), (settings.Model.MaxConcurrentRequests, settings.Model.MaxContextTokens));
        Assert.Equal(2, settings.Notes.Count);
    }

    [Fact]
    public void Parse_ModelAlone_ListensToThisMachineOnly()
    {
        ServerSettings settings = Settings("--model", "MODEL");

        Assert.Equal("MODEL", settings.Model.ModelPath);
        Assert.Equal((IPAddress.Loopback, 8000), (settings.Address, settings.Port));
        Assert.True(settings.Model.ReusePrefixes);
        Assert.Equal(32 << 20, settings.MaxRequestBytes);
    }

    [Theory]
    [InlineData("auto", ActivationPrecision.Auto)]
    [InlineData("int8", ActivationPrecision.Int8)]
    [InlineData("int16", ActivationPrecision.Int16)]
    [InlineData("float32", ActivationPrecision.Float32)]
    public void Parse_Activations_AreTheModels(string name, ActivationPrecision expected) =>
        Assert.Equal(expected, Settings("MODEL", "--activations", name).Model.Activations);

    [Theory]
    [InlineData("8192", 8192)]
    [InlineData("8k", 8000)]
    [InlineData("8K", 8192)]
    [InlineData("1.5k", 1500)]
    [InlineData("1M", 1 << 20)]
    public void Parse_Length_TakesUnits(string text, int expected) =>
        Assert.Equal(expected, Settings("MODEL", "--max-model-len", text).Model.MaxContextTokens);

    [Theory]
    [InlineData("Name one model")]
    [InlineData("Name one model", "A", "--model", "B")]
    [InlineData("--tool-call-parser cannot be 'hermes'. The model writes calls in one form, kimi_k2.", "MODEL", "--tool-call-parser", "hermes")]
    [InlineData("choose it with --device", "MODEL", "--tensor-parallel-size", "2")]
    [InlineData("'kimi pack'", "MODEL", "--quantization", "awq")]
    [InlineData("--max-model-len must be a number of tokens", "MODEL", "--max-model-len", "many")]
    [InlineData("--max-model-len must be a number of tokens", "MODEL", "--max-model-len", "0")]
    [InlineData("--max-num-seqs must be a whole number from 1 to 2147483647, but is '0'", "MODEL", "--max-num-seqs", "0")]
    [InlineData("--port must be a whole number from 0 to 65535, but is '70000'", "MODEL", "--port", "70000")]
    [InlineData("--port must be a whole number from 0 to 65535, but is 'abc'", "MODEL", "--port", "abc")]
    [InlineData("--host must be an IP address or localhost", "MODEL", "--host", "example.com")]
    [InlineData("--served-model-name must be a text", "MODEL", "--served-model-name", "kimi", " ")]
    [InlineData("--api-key must be a text", "MODEL", "--api-key", " ")]
    [InlineData("--device must be auto", "MODEL", "--device", "tpu")]
    [InlineData("--draft-tokens must be a whole number from 0 to 64", "MODEL", "--draft-tokens", "65")]
    [InlineData("--activations must be auto, int8, int16 or float32, but is 'int4'", "MODEL", "--activations", "int4")]
    [InlineData("--threads must be a whole number from 1 to 1024", "MODEL", "--threads", "0")]
    [InlineData("--prefix-folder is for what --no-enable-prefix-caching says not to keep", "MODEL", "--prefix-folder", "DIR", "--no-enable-prefix-caching")]
    public void Parse_WhatCannotBe_IsAnswered(string expected, params string[] args) =>
        Assert.Contains(
            Parse(new ServeCommand(), args).Errors, error => error.Message.Contains(expected, StringComparison.Ordinal));

    [Fact]
    public async Task Invoke_PrefixFolderThatCannotBe_EndsBeforeTheModelIsLookedFor()
    {
        string file = Path.GetTempFileName();
        try
        {
            ParseResult result = ServeCommand.AsRoot().Parse(["no-such-model", "--port", "0", "--prefix-folder", Path.Combine(file, "below")]);
            Assert.Empty(result.Errors);

            ArgumentException error = await Assert.ThrowsAsync<ArgumentException>(() => result.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null },
                TestContext.Current.CancellationToken));

            Assert.StartsWith($"--prefix-folder: '{Path.Combine(file, "below")}' cannot be used: ", error.Message, StringComparison.Ordinal);
            Assert.EndsWith("Name another folder, or leave the option out.", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static ServerSettings Settings(params string[] args)
    {
        ServeCommand command = new();
        ParseResult result = Parse(command, args);
        Assert.Empty(result.Errors);
        return command.Read(result);
    }

    private static ParseResult Parse(ServeCommand command, string[] args) => command.FillIn(new RootCommand()).Parse(args);
}
