using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.Scheduling;
using KimiLinear.Tests.Generation;

namespace KimiLinear.Tests.Scheduling;

/// <summary>An engine over the small model, and requests to give it.</summary>
internal sealed class EngineHarness(TinyModel tiny, EngineOptions? options = null) : IDisposable
{
    public GenerationEngine Engine { get; } = new(tiny.Model, tiny.Tokenizer, defaults: null, options);

    public int[] Prompt(int number) => tiny.Ask($"Tell me about number {number} and the weather in Paris, please.");

    public static GenerationOptions Options(int seed, int maxTokens = 40) => new()
    {
        MaxTokens = maxTokens,
        StopTokenIds = [],
        SamplingOptions = new SamplingOptions { Seed = (ulong)seed, Temperature = 1 },
    };

    public Task<int[]> AskAsync(int number, int maxTokens = 40, CancellationToken cancellationToken = default) =>
        ReadAsync(Engine.GenerateAsync(Prompt(number), Options(number, maxTokens), cancellationToken));

    /// <summary>What a request gets when it is the only one, computed without an engine.</summary>
    public Task<int[]> AloneAsync(int number, int maxTokens = 40) =>
        ReadAsync(tiny.CreateGenerator().GenerateAsync(Prompt(number), Options(number, maxTokens)));

    public static async Task<int[]> ReadAsync(IAsyncEnumerable<GeneratedToken> reply)
    {
        List<int> ids = [];
        await foreach (GeneratedToken token in reply)
        {
            ids.Add(token.Id);
        }

        return [.. ids];
    }

    public void Dispose() => Engine.Dispose();
}
