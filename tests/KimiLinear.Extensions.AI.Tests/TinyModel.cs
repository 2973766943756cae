using System.Runtime.CompilerServices;
using KimiLinear.Configuration;
using KimiLinear.Extensions.AI.Tests;
using KimiLinear.Model;
using KimiLinear.Tokenization;
using Microsoft.Extensions.AI;
using Xunit;

[assembly: AssemblyFixture(typeof(TinyModel))]

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>The small model of the repository, loaded once for all tests, with a client over it.</summary>
public sealed class TinyModel : IDisposable
{
    public TinyModel()
    {
        Model = KimiLinearModel.Load(Folder);
        Tokenizer = KimiTokenizer.Load(Folder);
        Client = CreateClient();
        FreeClient = CreateClient(new KimiLinearChatClientOptions { ConstrainToolCalls = false });
    }

    public static string Folder { get; } = Path.Combine(RepositoryRoot(), "samples", "models", "kimi-linear-tiny");

    public static string GoldenFolder { get; } = Path.Combine(RepositoryRoot(), "tests", "golden", "tiny");

    public KimiLinearModel Model { get; }

    public KimiTokenizer Tokenizer { get; }

    public KimiLinearChatClient Client { get; }

    /// <summary>A client whose model may write calls of any form, for tests of what becomes of them.</summary>
    public KimiLinearChatClient FreeClient { get; }

    /// <summary>Options that always give the same reply.</summary>
    public static ChatOptions Greedy(params AITool[] tools) => new() { Temperature = 0, Tools = tools.Length > 0 ? tools : null };

    /// <summary>A client of its own over the shared model, for tests that dispose or limit it.</summary>
    public KimiLinearChatClient CreateClient(KimiLinearChatClientOptions? options = null) =>
        new(Model, Tokenizer, GenerationConfig.Load(Folder), options);

    public void Dispose()
    {
        Client.Dispose();
        FreeClient.Dispose();
        Model.Dispose();
    }

    private static string RepositoryRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
