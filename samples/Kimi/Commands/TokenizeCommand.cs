using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Terminal;
using KimiLinear.Tokenization;

namespace Kimi.Commands;

/// <summary>Shows the tokens of a text, or turns lines of JSON strings into lines of ids.</summary>
internal static class TokenizeCommand
{
    public static readonly string[] Examples =
    [
        "kimi tokenize --model MODEL 'Hello, world!'",
        "kimi tokenize --model MODEL --special '<|im_user|>user<|im_middle|>Hi<|im_end|>'",
        "kimi tokenize --model MODEL < text.txt",
        "echo '\"Hello\"' | kimi tokenize --model MODEL --jsonl      prints [808] or the like",
    ];

    // Rows are laid out together, so that long texts take the plain form.
    private const int MaxTableRows = 1000;

    public static Command Create(CommandTerminal terminal)
    {
        Option<string> model = CommonOptions.Model();
        Option<bool> download = CommonOptions.Download();
        Option<bool> special = new("--special")
        {
            Description = "Names of special tokens in the text become those tokens; without it they are ordinary text.",
        };
        Option<bool> jsonl = CommonOptions.JsonLines(
            "Read a JSON string per line of standard input, write an array of ids per line.");
        Argument<string?> text = new("text")
        {
            Description = "The text; standard input when there is none.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Command command = new("tokenize", "Shows the token ids of a text and the piece each stands for.")
        {
            text, model, download, special, jsonl,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            string? argument = result.GetValue(text);
            bool isJsonl = result.GetValue(jsonl);
            if (isJsonl && argument is not null)
            {
                throw new CommandException("--jsonl reads its texts from standard input; give no text as an argument.");
            }

            if (!isJsonl && argument is null && terminal.InputIsTerminal)
            {
                throw new CommandException("There is no text. Give it as an argument, or on standard input.");
            }

            string modelPath = await ModelFiles.FindAsync(result.GetRequiredValue(model), result.GetValue(download), terminal);
            KimiTokenizer tokenizer = KimiTokenizer.Load(modelPath);
            if (isJsonl)
            {
                await WriteLinesAsync(terminal, tokenizer, result.GetValue(special));
            }
            else
            {
                argument ??= new UTF8Encoding(false).GetString(await terminal.ReadAllAsync());
                WritePieces(terminal, tokenizer, tokenizer.Encode(argument, result.GetValue(special)));
            }
        });
        return command;
    }

    private static async Task WriteLinesAsync(CommandTerminal terminal, KimiTokenizer tokenizer, bool allowSpecialTokens)
    {
        LineReader lines = terminal.ReadLines();
        List<int> ids = [];
        StringBuilder line = new();
        while (await lines.ReadAsync())
        {
            string where = $"Line {lines.LineNumber}";
            using JsonDocument json = JsonText.Parse(lines.Line, where);
            ids.Clear();
            tokenizer.Encode(JsonText.ReadString(json.RootElement, where), ids, allowSpecialTokens);
            line.Clear().Append('[').AppendJoin(',', ids).Append("]\n");
            terminal.Output.Write(line);
        }
    }

    private static void WritePieces(CommandTerminal terminal, KimiTokenizer tokenizer, int[] ids)
    {
        TextTable table = new("id", "piece");
        foreach (int id in ids)
        {
            table.Add(id.ToString(CultureInfo.InvariantCulture), Piece(tokenizer, id));
        }

        table.WriteTo(terminal, asTable: ids.Length <= MaxTableRows);
    }

    // A piece may be part of a character, so that only its bytes can be shown.
    private static string Piece(KimiTokenizer tokenizer, int id)
    {
        ReadOnlySpan<byte> bytes = tokenizer.GetBytes(id);
        return tokenizer.IsSpecialToken(id) || !System.Text.Unicode.Utf8.IsValid(bytes)
            ? tokenizer.IsSpecialToken(id) ? Encoding.UTF8.GetString(bytes) : $"bytes {Convert.ToHexString(bytes)}"
            : JsonSerializer.Serialize(Encoding.UTF8.GetString(bytes), JsonText.Compact);
    }
}
