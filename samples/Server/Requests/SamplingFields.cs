using KimiLinear.Extensions.AI;
using Microsoft.Extensions.AI;

namespace KimiServer.Requests;

/// <summary>How tokens are drawn and where the reply ends, in the names of OpenAI and, beyond those, of vLLM.</summary>
internal static class SamplingFields
{
    public static ChatOptions Read(RequestFields fields)
    {
        AdditionalPropertiesDictionary extra = [];
        Add(KimiLinearChatClient.MinPProperty, fields.Number("min_p"));
        Add(KimiLinearChatClient.RepetitionPenaltyProperty, fields.Number("repetition_penalty"));
        Add(KimiLinearChatClient.LogitBiasProperty, fields.NumberByTokenId("logit_bias"));
        Add(KimiLinearChatClient.CallerProperty, fields.Text("user"));
        return new ChatOptions
        {
            Temperature = fields.Number("temperature"),
            TopP = fields.Number("top_p"),
            // vLLM's -1 keeps all, as our 0 does.
            TopK = fields.Count("top_k", -1) is { } count ? Math.Max(count, 0) : null,
            FrequencyPenalty = fields.Number("frequency_penalty"),
            PresencePenalty = fields.Number("presence_penalty"),
            Seed = fields.Whole("seed"),
            StopSequences = [.. fields.Texts("stop")],
            AdditionalProperties = extra,
        };

        void Add(string name, object? value)
        {
            if (value is not null)
            {
                extra[name] = value;
            }
        }
    }
}
