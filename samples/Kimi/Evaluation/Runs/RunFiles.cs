using System.Text;
using System.Text.Json;
using Kimi.CommandLine;
using Kimi.Evaluation.Perplexity;

namespace Kimi.Evaluation.Runs;

/// <summary>How the files of a run are read and written.</summary>
internal static class RunFiles
{
    public const string Protocol = "run.json";
    public const string Items = "items.jsonl";

    // What a run writes is null only where that says something.
    private static readonly JsonSerializerOptions Reading = new(JsonText.Compact) { RespectNullableAnnotations = true };

    /// <summary>Writes a file under its name only when all of it is there.</summary>
    public static void WriteWhole(string path, string content)
    {
        string unfinished = path + ".tmp";
        try
        {
            File.WriteAllText(unfinished, content, new UTF8Encoding(false));
            File.Move(unfinished, path, overwrite: true);
        }
        catch (Exception exception) when (IsOfTheDisk(exception) || exception is UnauthorizedAccessException)
        {
            if (File.Exists(unfinished))
            {
                File.Delete(unfinished);
            }

            throw CannotWrite(path, exception, "Mend that, and give the same command again.");
        }
    }

    /// <summary>Tells whether an exception is of the disk that is written to.</summary>
    /// <remarks>The framework takes a file that grows beyond what its disk allows for a wrong argument.</remarks>
    public static bool IsOfTheDisk(Exception exception) => exception is IOException or ArgumentOutOfRangeException;

    /// <summary>Says that a file cannot be written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="exception">Why.</param>
    /// <param name="remedy">What can be done, as a sentence.</param>
    public static CommandException CannotWrite(string path, Exception exception, string remedy) =>
        new($"'{path}' cannot be written: {ErrorBoundary.WithoutParameter(exception.Message).TrimEnd('.')}. {remedy}", exception);

    /// <summary>Says in which properties two values differ, in the names of the file.</summary>
    public static IEnumerable<string> Differences<T>(T here, T there)
    {
        JsonElement first = JsonSerializer.SerializeToElement(here, JsonText.Compact);
        JsonElement second = JsonSerializer.SerializeToElement(there, JsonText.Compact);
        return first.EnumerateObject()
            .Where(property => !JsonElement.DeepEquals(property.Value, second.GetProperty(property.Name)))
            .Select(property =>
                $"{property.Name} {property.Value.GetRawText()} and not {second.GetProperty(property.Name).GetRawText()}");
    }

    public static T ReadJson<T>(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), Reading)
                ?? throw new CommandException($"'{path}' is no file of a run.");
        }
        catch (JsonException exception)
        {
            throw new CommandException($"'{path}' is no file of a run: {exception.Message}", exception);
        }
    }

    /// <summary>Reads a finished or unfinished run.</summary>
    /// <exception cref="CommandException">The folder holds no run.</exception>
    public static (RunProtocol Protocol, IReadOnlyList<ItemResult> Items) Read(string folder)
    {
        string itemsPath = Path.Combine(folder, Items);
        if (!File.Exists(Path.Combine(folder, Protocol)) || !File.Exists(itemsPath))
        {
            throw new CommandException(
                $"'{folder}' holds no run: 'kimi eval run --out {folder} …' would have left {Protocol} and {Items}.");
        }

        string protocolPath = Path.Combine(folder, Protocol);
        JsonElement protocol = ReadJson<JsonElement>(protocolPath);
        if (protocol.ValueKind == JsonValueKind.Object && protocol.TryGetProperty("benchmark", out JsonElement name)
            && name.ValueKind == JsonValueKind.String && name.GetString() == PerplexityProtocol.Name)
        {
            throw new CommandException(
                $"'{folder}' is a run of perplexity; 'kimi eval perplexity --reference' is how such models are compared.");
        }

        return (ReadJson<RunProtocol>(protocolPath), Parse<ItemResult>(File.ReadAllBytes(itemsPath), itemsPath, out _));
    }

    /// <summary>Reads the lines, removes one that a killed run has left unfinished, and stands behind the last.</summary>
    public static IReadOnlyList<T> ReadItems<T>(FileStream file, string path)
    {
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        List<T> items = Parse<T>(bytes, path, out int complete);
        file.SetLength(complete);
        file.Position = complete;
        return items;
    }

    private static List<T> Parse<T>(ReadOnlySpan<byte> bytes, string path, out int complete)
    {
        List<T> items = [];
        complete = 0;
        while (bytes[complete..].IndexOf((byte)'\n') is int length and >= 0)
        {
            try
            {
                items.Add(JsonSerializer.Deserialize<T>(bytes.Slice(complete, length), Reading)
                    ?? throw new JsonException("It is null."));
            }
            catch (JsonException exception)
            {
                throw new CommandException($"'{path}', line {items.Count + 1} is broken: {exception.Message}", exception);
            }

            complete += length + 1;
        }

        return items;
    }
}
