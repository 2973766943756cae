using KimiLinear.Extensions.AI;
using Microsoft.Extensions.AI;

namespace ChatSample;

/// <summary>How fast the last pass of a reply was; every result of a tool starts a new pass, with a longer prompt.</summary>
internal sealed class ReplySpeed
{
    /// <summary>A line such as <c>171 tokens read at 900/s, 13 written at 250/s</c>; empty before a pass has ended.</summary>
    public string Text { get; private set; } = "";

    /// <summary>Takes the figures from the update that ends a pass.</summary>
    public void Observe(ChatResponseUpdate update)
    {
        UsageDetails? usage = update.Contents.OfType<UsageContent>().FirstOrDefault()?.Details;
        if (usage is not null
            && update.AdditionalProperties is { } properties
            && properties.TryGetValue(KimiLinearChatClient.PrefillSpeedProperty, out double prefill)
            && properties.TryGetValue(KimiLinearChatClient.DecodeSpeedProperty, out double decode))
        {
            Text = $"{usage.InputTokenCount} tokens read at {prefill:N0}/s, {usage.OutputTokenCount} written at {decode:N0}/s";
        }
    }
}
