using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using KimiLinear.Calibration;
using KimiLinear.Configuration;
using KimiLinear.ToolCalls;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options that name calibration data and say how it is prepared.</summary>
internal sealed class CalibrationArguments
{
    // That of the published REAP program.
    private const int DataSpecSeed = 42;

    private readonly Option<string[]> _data = new("--data")
    {
        Description = "Calibration data, one or more files of JSON Lines: {\"messages\": […]}, {\"text\": \"…\"}, {\"ids\": […]}, or the "
            + "columns of a known data set. Use text like that the pruned model is for.",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string?> _dataSpec = new("--data-spec")
    {
        Description = "In place of --data, the data sets to look for below --data-folder and how many records each gives: "
            + "\"name[subset](split):N, ...\", where subset and split may be left out. One name alone gives all its records. They are "
            + $"drawn with --seed [default: {DataSpecSeed}].",
        HelpName = "SPEC",
    };

    private readonly Option<string?> _dataFolder = new("--data-folder")
    {
        Description = "Where the data sets of --data-spec lie: name/subset/split.jsonl or name/split.jsonl; the split train may be "
            + "name/subset.jsonl or name.jsonl too. An organisation in the name may be left out, and .json is as good as .jsonl.",
        HelpName = "DIR",
    };

    private readonly Option<string?> _weights = new("--weights")
    {
        Description = "The files' shares of --tokens or --records, one number for each [default: equal].",
        HelpName = "2,1,1",
    };

    private readonly Option<long?> _tokens = NumberOption.Whole<long>(
        "--tokens", "The most tokens to use of all files together.", 1);

    private readonly Option<long?> _records = NumberOption.Whole<long>(
        "--records", "The most records to use of all files together.", 1);

    private readonly Option<int?> _seed = NumberOption.Whole(
        "--seed",
        "Use the records of each file in an order drawn with this seed [default: in the order of the file, but 42 with --data-spec].",
        0);

    private readonly Option<int?> _maxLength = NumberOption.Whole(
        "--max-length",
        "The most tokens of a sequence [default: 16384, or the model's context if that is shorter].",
        1);

    private readonly Option<bool> _skipLong = new("--skip-long")
    {
        Description = "Leave out records that are longer; without it they are cut at the end.",
    };

    private readonly Option<bool> _pack = new("--pack")
    {
        Description = "Fill sequences with one record behind the other; without it every record starts afresh.",
    };

    private readonly Option<string?> _tools = new("--tools")
    {
        Description = "A JSON array of tools to declare in conversations that name none, as in the OpenAI API.",
        HelpName = "FILE",
    };

    public void AddTo(Command command)
    {
        command.Add(_data);
        command.Add(_dataSpec);
        command.Add(_dataFolder);
        command.Add(_weights);
        command.Add(_tokens);
        command.Add(_records);
        command.Add(_seed);
        command.Add(_maxLength);
        command.Add(_skipLong);
        command.Add(_pack);
        command.Add(_tools);
    }

    public bool AreGiven(ParseResult result) =>
        result.GetValue(_data) is { Length: > 0 } || result.GetValue(_dataSpec) is not null || result.GetValue(_dataFolder) is not null;

    /// <exception cref="CommandException">The options contradict each other, or the specification is none.</exception>
    /// <exception cref="IOException">A data set has no file, or several.</exception>
    public IReadOnlyList<CalibrationFile> ReadFiles(ParseResult result)
    {
        if (result.GetValue(_dataSpec) is { } specification)
        {
            return FindDataSets(specification, result);
        }

        if (result.GetValue(_dataFolder) is not null)
        {
            throw new CommandException("--data-folder goes with --data-spec, which says what to look for there.");
        }

        string[] paths = result.GetValue(_data) ?? [];
        double[] weights = ReadWeights(result.GetValue(_weights), paths.Length);
        return [.. paths.Select((path, i) => new CalibrationFile(path, weights[i]))];
    }

    public CalibrationOptions ReadOptions(ParseResult result, KimiLinearConfig config)
    {
        CalibrationOptions options = new()
        {
            VocabularySize = config.VocabularySize,
            MaxTokens = result.GetValue(_tokens),
            MaxRecords = result.GetValue(_records),
            Seed = result.GetValue(_seed) ?? (result.GetValue(_dataSpec) is null ? null : DataSpecSeed),
            SkipsLongRecords = result.GetValue(_skipLong),
            Packs = result.GetValue(_pack),
            Tools = result.GetValue(_tools) is { } path ? ReadTools(path) : [],
        };
        int length = result.GetValue(_maxLength) ?? Math.Min(options.MaxSequenceTokens, config.MaxContextTokens);
        return length <= config.MaxContextTokens
            ? options with { MaxSequenceTokens = length }
            : throw new CommandException($"--max-length is {length:N0}, but the model's context has {config.MaxContextTokens:N0} tokens.");
    }

    private CalibrationFile[] FindDataSets(string specification, ParseResult result)
    {
        if (result.GetValue(_data) is { Length: > 0 } || result.GetValue(_weights) is not null)
        {
            throw new CommandException("--data-spec stands in place of --data and --weights; they cannot be combined.");
        }

        if (result.GetValue(_dataFolder) is not { Length: > 0 } folder)
        {
            throw new CommandException("--data-spec needs --data-folder, below which the data sets are looked for.");
        }

        IReadOnlyList<CalibrationDataSet> sets;
        try
        {
            sets = CalibrationDataSet.Parse(specification);
        }
        catch (FormatException exception)
        {
            throw new CommandException($"--data-spec: {exception.Message}", exception);
        }

        if (sets[0].RecordCount is not null && (result.GetValue(_tokens) ?? result.GetValue(_records)) is not null)
        {
            throw new CommandException("--data-spec says how many records each data set gives; --tokens and --records cannot be combined with it.");
        }

        return [.. CalibrationDataSet.FindAll(sets, folder)];
    }

    private static double[] ReadWeights(string? text, int count)
    {
        if (text is null)
        {
            return [.. Enumerable.Repeat(1.0, count)];
        }

        double[] weights =
        [
            .. text.Split(',').Select(part => double.TryParse(part, CultureInfo.InvariantCulture, out double weight) ? weight : double.NaN),
        ];
        return weights.Length == count && weights.All(weight => weight > 0 && double.IsFinite(weight))
            ? weights
            : throw new CommandException($"--weights must be {count} numbers above 0, one for each file of --data, but is '{text}'.");
    }

    private static ToolDeclaration[] ReadTools(string path)
    {
        try
        {
            using JsonDocument json = JsonText.Parse(File.ReadAllBytes(path), $"'{path}'");
            return json.RootElement.ValueKind == JsonValueKind.Array
                ? [.. json.RootElement.EnumerateArray().Select(ToolDeclaration.FromJson)]
                : throw new CommandException($"'{path}' must be a JSON array of tools.");
        }
        catch (JsonException exception)
        {
            throw new CommandException($"'{path}' is no list of tools: {exception.Message}", exception);
        }
    }
}
