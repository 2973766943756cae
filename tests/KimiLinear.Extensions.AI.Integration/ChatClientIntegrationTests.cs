using KimiLinear.Extensions.AI.Tests;
using Microsoft.Extensions.AI;
using Xunit;
using Xunit.Sdk;

namespace KimiLinear.Extensions.AI.Integration;

/// <summary>The scenarios by which dotnet/extensions tests chat clients, under the names they have there.</summary>
public sealed partial class ChatClientIntegrationTests(TinyModel tiny)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Runs a scenario as far as its need allows; see the README.</summary>
    /// <param name="need">What it takes to pass it.</param>
    /// <param name="scenario">The scenario, given what makes clients.</param>
    /// <param name="replies">What a model that knows would write, one text for each request.</param>
    private async Task RunAsync(Need need, Func<Func<IChatClient>, Task> scenario, params string[] replies)
    {
        Assert.Equal(need == Need.Knowledge, replies.Length > 0);
        switch (need)
        {
            case Need.Vision:
                NotSupportedException exception = await Assert.ThrowsAsync<NotSupportedException>(() => scenario(Create));
                Assert.Contains(nameof(DataContent), exception.Message, StringComparison.Ordinal);
                break;
            case Need.Knowledge:
                await ExcuseAsync(scenario(Create));
                ScriptedReply script = new(tiny.Tokenizer, replies);
                await scenario(() => Create().AsBuilder()
                    .Use(inner => new ConfigureOptionsChatClient(
                        inner, options => options.RawRepresentationFactory = script.Options().RawRepresentationFactory))
                    .Build());
                break;
            default:
                await scenario(Create);
                break;
        }
    }

    // The scenarios set no limit, and the small model may write the same word, or the same key, for ever.
    private IChatClient Create() =>
        new CheckedChatClient(tiny.CreateClient(new KimiLinearChatClientOptions { DefaultMaxOutputTokens = 500 }));

    // What the small model said was wrong, which is no surprise. Anything but an assertion is the client's fault.
    private static async Task ExcuseAsync(Task scenario)
    {
        try
        {
            await scenario;
        }
        catch (Exception exception) when (exception is IAssertionException)
        {
        }
    }

    private static string Call(string name, string arguments, int index = 0) =>
        Written.Calls(($"functions.{name}:{index}", arguments));
}
