using System.CommandLine;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Chat;

namespace Kimi.Commands;

/// <summary>Shows the prompt that a conversation becomes.</summary>
internal static class RenderCommand
{
    public static readonly string[] Examples =
    [
        "(an object may also hold \"tools\" and \"add_generation_prompt\")",
        "echo '{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}' | kimi render --model MODEL",
        "kimi render --model MODEL --jsonl < conversations.jsonl > prompts.jsonl",
    ];

    private const string Details =
        "Shows the prompt that a conversation becomes: an object with messages, as in the OpenAI API, on standard input.";

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model();
        Option<bool> download = CommonOptions.Download();
        Option<bool> jsonl = CommonOptions.JsonLines(
            "Read one such object per line, write its prompt as a JSON string per line.");
        Command command = new("render", Details) { model, download, jsonl };
        command.SetAction(async (result, cancellationToken) =>
        {
            // The template is part of the program, but a folder without a model is a mistake that should show here.
            _ = ModelFiles.LoadConfig(
                await ModelFiles.FindAsync(result.GetRequiredValue(model), result.GetValue(download), terminal));
            if (result.GetValue(jsonl))
            {
                LineReader lines = terminal.ReadLines();
                while (await lines.ReadAsync())
                {
                    string prompt = Render(lines.Line, $"Line {lines.LineNumber}");
                    terminal.Output.Write(JsonSerializer.Serialize(prompt, JsonText.Compact));
                    terminal.Output.Write('\n');
                }
            }
            else
            {
                terminal.Output.Write(Render(await terminal.ReadAllAsync(), "The conversation on standard input"));
            }
        });
        return command;
    }

    private static string Render(ReadOnlyMemory<byte> utf8, string where)
    {
        using JsonDocument json = JsonText.Parse(utf8, where);
        try
        {
            ChatPrompt prompt = ChatPrompt.FromJson(json.RootElement);
            return ChatTemplate.Render(prompt.Turns, prompt.Tools, prompt.AddGenerationPrompt);
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException or ArgumentException)
        {
            throw new CommandException($"{where} is not a conversation: {exception.Message}", exception);
        }
    }
}
