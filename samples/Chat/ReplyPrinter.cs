using System.Text.Json;
using Microsoft.Extensions.AI;

namespace ChatSample;

/// <summary>Shows a reply while it arrives: its text, the calls of tools with their results, and how fast it was.</summary>
internal sealed class ReplyPrinter(ChatConsole console)
{
    private static readonly JsonSerializerOptions OneLine = new(AIJsonUtilities.DefaultOptions) { WriteIndented = false };

    public async Task PrintAsync(IAsyncEnumerable<ChatResponseUpdate> reply)
    {
        ReplySpeed speed = new();
        await foreach (ChatResponseUpdate update in reply)
        {
            speed.Observe(update);
            foreach (AIContent content in update.Contents)
            {
                Print(content);
            }
        }

        console.EndReplyLine();
        if (console.IsInteractive && console.NotesOnTerminal && speed.Text.Length > 0)
        {
            console.WriteNote($"  {speed.Text}");
        }
    }

    private void Print(AIContent content)
    {
        switch (content)
        {
            case TextContent text:
                console.WriteReply(text.Text);
                break;
            case FunctionCallContent call:
                console.WriteNote($"  {call.Name}({Arguments(call)})");
                break;
            case FunctionResultContent result:
                console.WriteNote($"  → {Json(result.Result)}");
                break;
        }
    }

    private static string Arguments(FunctionCallContent call) =>
        string.Join(", ", call.Arguments?.Select(pair => $"{pair.Key}: {Json(pair.Value)}") ?? []);

    private static string Json(object? value) => JsonSerializer.Serialize(value, OneLine);
}
