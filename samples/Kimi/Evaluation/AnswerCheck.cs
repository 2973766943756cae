using System.ClientModel.Primitives;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;

namespace Kimi.Evaluation;

/// <summary>Refuses what a server answers with success but not as OpenAI's interface has it.</summary>
/// <remarks>The client would stumble over it somewhere, with an error that names neither the address nor what came.</remarks>
internal sealed class AnswerCheck : PipelinePolicy
{
    private const int ShownCharacters = 80;

    public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
    {
        ProcessNext(message, pipeline, currentIndex);
        Require(message);
    }

    public override async ValueTask ProcessAsync(
        PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
    {
        await ProcessNextAsync(message, pipeline, currentIndex);
        Require(message);
    }

    private static void Require(PipelineMessage message)
    {
        if (message.Response is not { IsError: false } response)
        {
            return;
        }

        (string what, Func<JsonElement, bool> holds) = message.Request.Method == "GET"
            ? ("list of models", IsModelList)
            : ("chat completion", (Func<JsonElement, bool>)IsChatCompletion);
        try
        {
            using JsonDocument body = JsonDocument.Parse(response.Content.ToMemory());
            if (holds(body.RootElement))
            {
                return;
            }
        }
        catch (JsonException)
        {
            // No JSON at all, which is said below.
        }

        throw new CommandException(
            $"{message.Request.Uri} answered with status {response.Status} and {Show(response.Content.ToString())}, "
            + $"which is no {what} of OpenAI's interface.");
    }

    private static bool IsModelList(JsonElement body) =>
        Array(body, "data") is { } models
        && models.EnumerateArray().All(model => model.ValueKind == JsonValueKind.Object
            && model.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.String && id.GetString() != "");

    private static bool IsChatCompletion(JsonElement body) =>
        Array(body, "choices") is { } choices && choices.GetArrayLength() > 0
        && choices.EnumerateArray().All(choice => choice.ValueKind == JsonValueKind.Object
            && choice.TryGetProperty("message", out JsonElement reply) && reply.ValueKind == JsonValueKind.Object);

    private static JsonElement? Array(JsonElement body, string name) =>
        body.ValueKind == JsonValueKind.Object
        && body.TryGetProperty(name, out JsonElement array) && array.ValueKind == JsonValueKind.Array
            ? array
            : null;

    private static string Show(string body)
    {
        string text = ControlCharacters.Show(string.Join(' ', body.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        return text.Length == 0 ? "an empty body"
            : text.Length <= ShownCharacters ? $"'{text}'"
            : $"'{text[..ShownCharacters]}…'";
    }
}
