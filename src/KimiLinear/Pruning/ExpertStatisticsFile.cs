using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>The JSON form of <see cref="ExpertStatistics"/>.</summary>
/// <remarks>Numbers are written with as many digits as it takes to read the same value back, so files compare byte by byte.</remarks>
internal static class ExpertStatisticsFile
{
    private const string FormatName = "kimi-linear-expert-statistics";
    private const int Version = 1;

    public static readonly JsonWriterOptions Layout = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static void Write(ExpertStatistics statistics, Stream stream)
    {
        using Utf8JsonWriter writer = new(stream, Layout);
        Write(statistics, writer);
    }

    public static void Write(ExpertStatistics statistics, Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("format", FormatName);
        writer.WriteNumber("version", Version);
        WriteModel(writer, statistics.Model);
        writer.WriteString("gate_mode", GateModeName.Of(statistics.GateMode));
        writer.WriteNumber("total_tokens", statistics.TokenCount);
        if (statistics.HasOutputSums)
        {
            writer.WriteNumber("output_dim", statistics.OutputDim);
        }

        writer.WriteStartArray("calibration");
        foreach (CalibrationSummary summary in statistics.Calibration)
        {
            WriteCalibration(writer, summary);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("layers");
        foreach (LayerStatistics layer in statistics.Layers)
        {
            WriteLayer(writer, layer, statistics.HasOutputSums);

            // Otherwise the writer would hold all of it until the end.
            writer.Flush();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <exception cref="PruningFileException">It is no such file, or damaged.</exception>
    public static ExpertStatistics Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            return Read(StrictJson.Parse(bytes));
        }
        catch (Exception exception) when (IsMisread(exception))
        {
            throw new PruningFileException(
                $"'{path}' is no observation that this version can read: {exception.Message} Make it anew with 'kimi observe'.",
                path,
                exception);
        }
    }

    /// <summary>Whether an exception tells of JSON that holds something else than was looked for.</summary>
    public static bool IsMisread(Exception exception) => exception is JsonException or InvalidOperationException
        or KeyNotFoundException or FormatException or ArgumentException;

    /// <exception cref="Exception">It is something else: see <see cref="IsMisread"/>.</exception>
    public static ExpertStatistics Read(JsonElement root)
    {
        Require(root.ValueKind == JsonValueKind.Object && root.TryGetProperty("format", out JsonElement format)
            && format.ValueKind == JsonValueKind.String && format.GetString() == FormatName, $"it has no format '{FormatName}'.");
        int version = root.GetProperty("version").GetInt32();
        Require(version == Version, $"its version is {version}, but only {Version} is known.");
        ObservedModel model = ReadModel(root.GetProperty("model"));
        JsonElement layers = root.GetProperty("layers");
        ExpertStatistics statistics = new(
            model,
            GateModeName.Parse(root.GetProperty("gate_mode").GetString()),
            layers.EnumerateArray().Select(layer => layer.GetProperty("layer").GetInt32()),
            ReadOutputDim(root, layers, model.ExpertCount));
        foreach ((JsonElement element, LayerStatistics layer) in layers.EnumerateArray().Zip(statistics.Layers))
        {
            ReadLayer(element, layer);
            if (statistics.HasOutputSums)
            {
                ReadOutputSums(element, layer);
            }
        }

        foreach (JsonElement summary in root.GetProperty("calibration").EnumerateArray())
        {
            statistics.AddCalibration(ReadCalibration(summary));
        }

        return statistics;
    }

    // Missing where outputs were not summed up. Checked against the text of a layer's sums before memory is taken.
    private static int ReadOutputDim(JsonElement root, JsonElement layers, int expertCount)
    {
        if (!root.TryGetProperty("output_dim", out JsonElement element))
        {
            return 0;
        }

        int outputDim = element.GetInt32();
        long textLength = layers.EnumerateArray().First().GetProperty("output_sum").EnumerateArray()
            .Sum(text => (long)(text.GetString()?.Length ?? 0));
        Require(
            outputDim > 0
                && (long)outputDim * expertCount <= Array.MaxLength
                && (long)outputDim * expertCount * sizeof(double) <= textLength,
            $"its outputs have {outputDim} values.");
        return outputDim;
    }

    /// <summary>Whether two descriptions of calibration data say the same.</summary>
    public static bool AreEqual(CalibrationSummary one, CalibrationSummary other) => Text(one).SequenceEqual(Text(other));

    private static byte[] Text(CalibrationSummary summary)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
        {
            WriteCalibration(writer, summary);
        }

        return stream.ToArray();
    }

    public static void WriteModel(Utf8JsonWriter writer, ObservedModel model)
    {
        writer.WriteStartObject("model");
        writer.WriteString("name", model.Name);
        writer.WriteString("fingerprint", model.Fingerprint);
        writer.WriteNumber("num_experts", model.ExpertCount);
        writer.WriteNumber("num_experts_per_token", model.ActiveExpertCount);
        writer.WriteNumber("num_expert_group", model.ExpertGroupCount);
        writer.WriteNumber("topk_group", model.ActiveExpertGroupCount);
        writer.WriteEndObject();
    }

    private static ObservedModel ReadModel(JsonElement element)
    {
        int experts = element.GetProperty("num_experts").GetInt32();
        Require(experts is > 0 and <= ushort.MaxValue, $"its model has {experts} experts.");
        return new ObservedModel(
            element.GetProperty("name").GetString() ?? "",
            element.GetProperty("fingerprint").GetString() ?? "",
            experts,
            element.GetProperty("num_experts_per_token").GetInt32(),
            element.GetProperty("num_expert_group").GetInt32(),
            element.GetProperty("topk_group").GetInt32());
    }

    public static void WriteCalibration(Utf8JsonWriter writer, CalibrationSummary summary)
    {
        writer.WriteStartObject();
        writer.WriteNumber("sequences", summary.SequenceCount);
        writer.WriteNumber("tokens", summary.TokenCount);
        writer.WriteString("token_hash", summary.TokenHash);
        writer.WriteNumber("max_sequence_tokens", summary.MaxSequenceTokens);
        writer.WriteBoolean("truncate", summary.Truncated);
        writer.WriteBoolean("pack", summary.Packed);
        WriteOptional(writer, "max_tokens", summary.MaxTokens);
        WriteOptional(writer, "max_records", summary.MaxRecords);
        WriteOptional(writer, "seed", summary.Seed);
        writer.WriteStartArray("sources");
        foreach (CalibrationSource source in summary.Sources)
        {
            writer.WriteStartObject();
            writer.WriteString("file", source.FileName);
            if (source.DataSet is not null)
            {
                writer.WriteString("data_set", source.DataSet);
            }

            writer.WriteString("sha256", source.Sha256);
            writer.WriteString("format", source.Format);
            writer.WriteNumber("weight", source.Weight);
            writer.WriteNumber("records", source.RecordCount);
            writer.WriteNumber("used_records", source.UsedRecordCount);
            writer.WriteNumber("truncated_records", source.TruncatedRecordCount);
            writer.WriteNumber("tokens", source.TokenCount);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, long? value)
    {
        if (value is long number)
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }

    public static CalibrationSummary ReadCalibration(JsonElement element) => new()
    {
        SequenceCount = element.GetProperty("sequences").GetInt64(),
        TokenCount = element.GetProperty("tokens").GetInt64(),
        TokenHash = element.GetProperty("token_hash").GetString() ?? "",
        MaxSequenceTokens = element.GetProperty("max_sequence_tokens").GetInt32(),
        Truncated = element.GetProperty("truncate").GetBoolean(),
        Packed = element.GetProperty("pack").GetBoolean(),
        MaxTokens = Optional(element.GetProperty("max_tokens"))?.GetInt64(),
        MaxRecords = Optional(element.GetProperty("max_records"))?.GetInt64(),
        Seed = Optional(element.GetProperty("seed"))?.GetInt32(),
        Sources =
        [
            .. element.GetProperty("sources").EnumerateArray().Select(source => new CalibrationSource
            {
                FileName = source.GetProperty("file").GetString() ?? "",
                DataSet = source.TryGetProperty("data_set", out JsonElement dataSet) ? dataSet.GetString() : null,
                Sha256 = source.GetProperty("sha256").GetString() ?? "",
                Format = source.GetProperty("format").GetString() ?? "",
                Weight = source.GetProperty("weight").GetDouble(),
                RecordCount = source.GetProperty("records").GetInt64(),
                UsedRecordCount = source.GetProperty("used_records").GetInt64(),
                TruncatedRecordCount = source.GetProperty("truncated_records").GetInt64(),
                TokenCount = source.GetProperty("tokens").GetInt64(),
            }),
        ],
    };

    private static JsonElement? Optional(JsonElement element) =>
        element.ValueKind == JsonValueKind.Null ? null : element;

    private static void WriteLayer(Utf8JsonWriter writer, LayerStatistics layer, bool hasOutputSums)
    {
        writer.WriteStartObject();
        writer.WriteNumber("layer", layer.LayerIndex);
        WriteArray(writer, "token_count", layer.TokenCounts.Select(count => count.ToString(CultureInfo.InvariantCulture)));
        WriteArray(writer, "saliency", layer.Saliencies.Select(Shortest));
        foreach ((string name, double[] values) in layer.NamedSums)
        {
            WriteArray(writer, name, values.Select(Shortest));
        }

        if (hasOutputSums)
        {
            WriteOutputSums(writer, layer);
        }

        writer.WriteEndObject();
    }

    // For each expert the bytes of its sum: nobody reads so many numbers, and digits would take twice the room.
    private static void WriteOutputSums(Utf8JsonWriter writer, LayerStatistics layer)
    {
        writer.WriteStartArray("output_sum");
        for (int expert = 0; expert < layer.ExpertCount; expert++)
        {
            writer.WriteBase64StringValue(MemoryMarshal.AsBytes(layer.GetOutputSum(expert)));
        }

        writer.WriteEndArray();
    }

    // A line for a list, so that people can find their way.
    private static void WriteArray(Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue($"[{string.Join(", ", values)}]");
    }

    // The fewest digits that stand for this value and no other.
    private static string Shortest(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    // The saliency is made of the sums again.
    private static void ReadLayer(JsonElement element, LayerStatistics layer)
    {
        Fill(element, "token_count", layer, layer.TokenCountArray, value => value.TryGetInt64(out long count) ? count : null);
        int negative = Array.FindIndex(layer.TokenCountArray, count => count < 0);
        Require(negative < 0, $"'token_count' of layer {layer.LayerIndex} is negative for expert {negative}.");
        foreach ((string name, double[] values) in layer.NamedSums)
        {
            Fill(element, name, layer, values, value => value.TryGetDouble(out double sum) ? sum : null);
            Require(values.All(double.IsFinite), $"'{name}' of layer {layer.LayerIndex} holds a number beyond all bounds.");
        }
    }

    private static void ReadOutputSums(JsonElement element, LayerStatistics layer)
    {
        JsonElement array = element.GetProperty("output_sum");
        Require(
            array.GetArrayLength() == layer.ExpertCount,
            $"'output_sum' of layer {layer.LayerIndex} has {array.GetArrayLength()} entries for {layer.ExpertCount} experts.");
        int expert = 0;
        foreach (JsonElement value in array.EnumerateArray())
        {
            Span<double> sum = layer.OutputSum(expert);
            Require(
                value.TryGetBytesFromBase64(out byte[]? bytes) && bytes.Length == sum.Length * sizeof(double),
                $"'output_sum' of layer {layer.LayerIndex} holds no {sum.Length} values in base64 for expert {expert}.");
            MemoryMarshal.Cast<byte, double>(bytes).CopyTo(sum);
            int broken = sum.IndexOfAnyExceptInRange(double.MinValue, double.MaxValue);
            Require(broken < 0, $"'output_sum' of layer {layer.LayerIndex} holds a number beyond all bounds for expert {expert}.");
            expert++;
        }
    }

    private static void Fill<T>(
        JsonElement element, string name, LayerStatistics layer, T[] target, Func<JsonElement, T?> read)
        where T : struct
    {
        JsonElement array = element.GetProperty(name);
        Require(
            array.GetArrayLength() == target.Length,
            $"'{name}' of layer {layer.LayerIndex} has {array.GetArrayLength()} entries for {target.Length} experts.");
        int i = 0;
        foreach (JsonElement value in array.EnumerateArray())
        {
            target[i] = read(value)
                ?? throw new FormatException($"'{name}' of layer {layer.LayerIndex} holds {value.GetRawText()} for expert {i}.");
            i++;
        }
    }

    private static void Require(bool condition, FormattableString problem)
    {
        if (!condition)
        {
            throw new FormatException(FormattableString.Invariant(problem));
        }
    }
}
