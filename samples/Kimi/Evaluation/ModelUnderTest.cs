using System.ClientModel;
using System.ClientModel.Primitives;
using Kimi.CommandLine;
using KimiLinear.Model;
using KimiLinear.Tokenization;
using Microsoft.Extensions.AI;
using OpenAI;
using OpenAI.Models;

namespace Kimi.Evaluation;

/// <summary>A model behind <see cref="IChatClient"/>, wherever it runs.</summary>
/// <param name="Client">The model.</param>
/// <param name="Name">Its name.</param>
/// <param name="Location">Its folder, or the address where it is served.</param>
/// <param name="Tokenizer">Counts its tokens, where that is known.</param>
/// <param name="Model">The model itself, when it runs in this process; disposed with this.</param>
internal sealed record ModelUnderTest(
    IChatClient Client, string Name, string Location, KimiTokenizer? Tokenizer, KimiLinearModel? Model) : IDisposable
{
    // A reply of 16,384 tokens takes its time, and it is not streamed.
    private static readonly TimeSpan ReplyTimeout = TimeSpan.FromHours(2);

    /// <summary>Connects to a server of OpenAI's interface, such as vLLM or 'kimi serve'.</summary>
    /// <param name="endpoint">Its address, with the version: http://localhost:8000/v1.</param>
    /// <param name="name">The model's name there; <see langword="null"/> for the only one it has.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public static async Task<ModelUnderTest> ConnectAsync(Uri endpoint, string? name, CancellationToken cancellationToken)
    {
        OpenAIClientOptions options = new() { Endpoint = endpoint, NetworkTimeout = ReplyTimeout };
        options.AddPolicy(new AnswerCheck(), PipelinePosition.PerCall);
        OpenAIClient client = new(
            new ApiKeyCredential(Environment.GetEnvironmentVariable("OPENAI_API_KEY") is { Length: > 0 } key ? key : "none"),
            options);
        name ??= await OnlyModelAsync(client, endpoint, cancellationToken);
        return new ModelUnderTest(client.GetChatClient(name).AsIChatClient(), name, endpoint.ToString(), null, null);
    }

    public void Dispose()
    {
        Client.Dispose();
        Model?.Dispose();
    }

    private static async Task<string> OnlyModelAsync(OpenAIClient client, Uri endpoint, CancellationToken cancellationToken)
    {
        string[] names;
        try
        {
            OpenAIModelCollection models = await client.GetOpenAIModelClient().GetModelsAsync(cancellationToken);
            names = [.. models.Select(model => model.Id)];
        }
        catch (Exception exception) when (AskingError.Is(exception, cancellationToken))
        {
            throw new CommandException(
                $"{endpoint} does not say which models it serves: {AskingError.Reason(exception)} Is it the address with its "
                + "version, such as http://localhost:8000/v1? Otherwise name the model with --served-model.",
                exception);
        }

        return names switch
        {
            [string only] => only,
            [] => throw new CommandException($"{endpoint} serves no model. Load one there, or name it with --served-model."),
            _ => throw new CommandException(
                $"{endpoint} serves {names.Length} models: {string.Join(", ", names.Take(10))}. "
                + "Say which one with --served-model."),
        };
    }
}
