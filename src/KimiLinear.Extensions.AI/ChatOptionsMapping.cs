using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KimiLinear.Generation;
using KimiLinear.Sampling;
using KimiLinear.ToolCalls;
using Microsoft.Extensions.AI;

namespace KimiLinear.Extensions.AI;

/// <summary>Turns the options of a request into generation options.</summary>
internal static class ChatOptionsMapping
{
    /// <summary>Builds the generation options; <paramref name="given"/> is what the caller's factory made, or none.</summary>
    public static GenerationOptions ToGenerationOptions(
        ChatOptions? options, GenerationOptions? given, SamplingOptions defaults, int? defaultMaxTokens)
    {
        GenerationOptions result = given ?? new GenerationOptions();
        SamplingOptions sampling = result.SamplingOptions ?? Sample(options, defaults);
        return result with
        {
            SamplingOptions = sampling,
            Caller = result.Caller ?? Text(options, KimiLinearChatClient.CallerProperty),
            MaxTokens = result.MaxTokens ?? RequireMaxTokens(options?.MaxOutputTokens) ?? defaultMaxTokens,
            StopSequences = result.StopSequences.Count > 0
                ? result.StopSequences
                : [.. (options?.StopSequences ?? []).Where(stop => !string.IsNullOrEmpty(stop))],
        };
    }

    /// <summary>The given functions, the last of a name only; tools of other kinds are left out.</summary>
    /// <exception cref="ArgumentException">One has no name, or its name, description or schema holds half a character.</exception>
    public static IReadOnlyList<ToolDeclaration> ToDeclarations(ChatOptions? options)
    {
        List<ToolDeclaration> declarations = [];
        foreach (AITool tool in options?.Tools ?? [])
        {
            if (tool is not AIFunctionDeclaration function)
            {
                continue;
            }

            declarations.RemoveAll(other => other.Name == function.Name);
            declarations.Add(Declare(function));
        }

        return declarations;
    }

    private static ToolDeclaration Declare(AIFunctionDeclaration function)
    {
        try
        {
            return new ToolDeclaration(
                function.Name, string.IsNullOrEmpty(function.Description) ? null : function.Description, function.JsonSchema);
        }
        catch (JsonException exception)
        {
            throw new ArgumentException(
                $"{nameof(ChatOptions.Tools)}: The parameters of the tool '{function.Name}': {exception.Message}", exception);
        }
        catch (ArgumentException exception)
        {
            throw new ArgumentException(
                $"{nameof(ChatOptions.Tools)}: The tool '{function.Name}': {exception.Message}", exception);
        }
    }

    private static SamplingOptions Sample(ChatOptions? options, SamplingOptions defaults)
    {
        if (options is null)
        {
            return defaults;
        }

        return defaults with
        {
            Temperature = options.Temperature ?? defaults.Temperature,
            TopP = options.TopP ?? defaults.TopP,
            TopK = options.TopK ?? defaults.TopK,
            FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
            Seed = options.Seed is { } seed ? unchecked((ulong)seed) : defaults.Seed,
            MinP = Number(options, KimiLinearChatClient.MinPProperty) ?? defaults.MinP,
            RepetitionPenalty = Number(options, KimiLinearChatClient.RepetitionPenaltyProperty) ?? defaults.RepetitionPenalty,
            LogitBias = LogitBias(options) ?? defaults.LogitBias,
        };
    }

    private static int? RequireMaxTokens(int? value)
    {
        if (value is { } tokens)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(tokens, nameof(ChatOptions.MaxOutputTokens));
        }

        return value;
    }

    // Values may come as numbers, as text or as JSON, whatever the caller's configuration made of them.
    private static float? Number(ChatOptions options, string key) =>
        options.AdditionalProperties is { } properties && properties.TryGetValue(key, out object? value) ? ToNumber(value) : null;

    private static string? Text(ChatOptions? options, string key) =>
        options?.AdditionalProperties is { } properties && properties.TryGetValue(key, out object? value)
            ? value switch
            {
                string text => text,
                JsonElement { ValueKind: JsonValueKind.String } json => json.GetString(),
                JsonValue node when node.TryGetValue(out string? text) => text,
                _ => null,
            }
            : null;

    private static float? ToNumber(object? value) => value switch
    {
        JsonElement { ValueKind: JsonValueKind.Number } json => json.GetSingle(),
        JsonElement { ValueKind: JsonValueKind.String } json => ToNumber(json.GetString()),
        string text => float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) ? number : null,
        JsonValue node => node.TryGetValue(out JsonElement json) ? ToNumber(json) : ToNumber(node.GetValue<object>()),
        Half half => (float)half,
        bool or char or DateTime => null,
        IConvertible and ValueType number => Convert.ToSingle(number, CultureInfo.InvariantCulture),
        _ => null,
    };

    private static Dictionary<int, float>? LogitBias(ChatOptions options)
    {
        if (options.AdditionalProperties is not { } properties
            || !properties.TryGetValue(KimiLinearChatClient.LogitBiasProperty, out object? value))
        {
            return null;
        }

        return value switch
        {
            IEnumerable<KeyValuePair<int, float>> pairs => new Dictionary<int, float>(pairs),
            IEnumerable<KeyValuePair<string, object?>> pairs => Collect(pairs.Select(pair => (pair.Key, pair.Value))),
            JsonElement { ValueKind: JsonValueKind.Object } json =>
                Collect(json.EnumerateObject().Select(property => (property.Name, (object?)property.Value))),
            JsonObject json => Collect(json.Select(property => (property.Key, (object?)property.Value))),
            IDictionary dictionary => Collect(Entries(dictionary)),
            _ => null,
        };
    }

    private static IEnumerable<(string Id, object? Bias)> Entries(IDictionary dictionary)
    {
        foreach (DictionaryEntry entry in dictionary)
        {
            yield return (Convert.ToString(entry.Key, CultureInfo.InvariantCulture) ?? "", entry.Value);
        }
    }

    private static Dictionary<int, float> Collect(IEnumerable<(string Id, object? Bias)> pairs)
    {
        Dictionary<int, float> biases = [];
        foreach ((string id, object? bias) in pairs)
        {
            if (int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int tokenId)
                && ToNumber(bias) is { } number)
            {
                biases[tokenId] = number;
            }
        }

        return biases;
    }
}
