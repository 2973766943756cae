using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>The JSON form of a <see cref="PruningPlan"/>: a list of experts is one line, so that people can read and edit it.</summary>
internal static class PruningPlanFile
{
    private const string FormatName = "kimi-linear-pruning-plan";
    private const int Version = 1;

    // Above any layer count and expert count the library accepts; lists beyond are not plans.
    private const int MaxLayers = KimiLinearConfigRanges.MaxLayers;
    private const int MaxExperts = KimiLinearConfigRanges.MaxCount;

    private static readonly JsonWriterOptions Layout = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static void Write(PruningPlan plan, Stream stream)
    {
        using (Utf8JsonWriter writer = new(stream, Layout))
        {
            writer.WriteStartObject();
            writer.WriteString("format", FormatName);
            writer.WriteNumber("version", Version);
            ExpertStatisticsFile.WriteModel(writer, plan.Model);
            writer.WriteString("criterion", plan.Criterion);
            WriteChoice(writer, plan);
            writer.WriteStartArray("layers");
            foreach (LayerPlan layer in plan.Layers)
            {
                WriteLayer(writer, layer);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    /// <exception cref="PruningFileException">It is no such file, or damaged.</exception>
    public static PruningPlan Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            return Read(StrictJson.Parse(bytes), path);
        }
        catch (Exception exception) when (exception is JsonException or FormatException)
        {
            throw new PruningFileException(
                $"'{path}' cannot be read as a pruning plan: {exception.Message} Correct it, or make it anew with 'kimi plan'.",
                path,
                exception);
        }
    }

    private static PruningPlan Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException("it is no JSON object.");
        }

        PlanElement plan = new(root, "");
        string format = plan.Text("format");
        if (format != FormatName)
        {
            throw new FormatException($"its format is '{format}' instead of '{FormatName}'.");
        }

        int version = plan.Integer("version", 1, int.MaxValue);
        if (version != Version)
        {
            throw new FormatException($"its version is {version}, but only {Version} is known.");
        }

        return new PruningPlan
        {
            Model = ReadModel(plan.Object("model")),
            Criterion = plan.Text("criterion"),
            GateMode = plan.OptionalText("gate_mode") is { } mode ? GateModeName.Parse(mode) : null,
            Ratio = plan.OptionalDecimal("ratio"),
            Seed = plan.OptionalInteger("seed", int.MinValue, int.MaxValue),
            Calibration = ReadCalibration(plan),
            Layers = ReadLayers(plan),
            FilePath = path,
        };
    }

    private static ObservedModel ReadModel(PlanElement model)
    {
        int experts = model.Integer("num_experts", 1, MaxExperts);
        return new ObservedModel(
            model.OptionalText("name") ?? "",
            model.OptionalText("fingerprint") ?? "",
            experts,
            model.Integer("num_experts_per_token", 1, experts),
            model.OptionalInteger("num_expert_group", 1, experts) ?? 1,
            model.OptionalInteger("topk_group", 1, experts) ?? 1);
    }

    private static CalibrationSummary[] ReadCalibration(PlanElement plan)
    {
        try
        {
            return [.. plan.OptionalList("calibration").Select(ExpertStatisticsFile.ReadCalibration)];
        }
        catch (Exception exception) when (exception is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"'calibration' is not what 'kimi plan' writes there: {exception.Message}", exception);
        }
    }

    private static LayerPlan[] ReadLayers(PlanElement plan)
    {
        List<LayerPlan> layers = [];
        foreach (PlanElement element in plan.Objects("layers"))
        {
            int index = element.Integer("layer", 0, MaxLayers - 1);
            PlanElement layer = element.Named(string.Create(CultureInfo.InvariantCulture, $"layer {index}: "));
            layers.Add(new LayerPlan
            {
                LayerIndex = index,
                KeptExperts = layer.Integers("keep"),
                ProtectedExperts = layer.OptionalIntegers("protected"),
                Scores = layer.OptionalNumbers("scores"),
            });
        }

        return [.. layers.OrderBy(layer => layer.LayerIndex)];
    }

    private static void WriteChoice(Utf8JsonWriter writer, PruningPlan plan)
    {
        if (plan.GateMode is { } mode)
        {
            writer.WriteString("gate_mode", GateModeName.Of(mode));
        }

        if (plan.Ratio is decimal ratio)
        {
            writer.WriteNumber("ratio", ratio);
        }

        if (plan.Seed is int seed)
        {
            writer.WriteNumber("seed", seed);
        }

        if (plan.Calibration.Count > 0)
        {
            writer.WriteStartArray("calibration");
            foreach (CalibrationSummary summary in plan.Calibration)
            {
                ExpertStatisticsFile.WriteCalibration(writer, summary);
            }

            writer.WriteEndArray();
        }
    }

    private static void WriteLayer(Utf8JsonWriter writer, LayerPlan layer)
    {
        writer.WriteStartObject();
        writer.WriteNumber("layer", layer.LayerIndex);
        WriteLine(writer, "keep", layer.KeptExperts);
        if (layer.ProtectedExperts.Count > 0)
        {
            WriteLine(writer, "protected", layer.ProtectedExperts);
        }

        if (layer.Scores.Count > 0)
        {
            WriteLine(writer, "scores", layer.Scores);
        }

        writer.WriteEndObject();
    }

    private static void WriteLine<T>(Utf8JsonWriter writer, string name, IReadOnlyList<T> values)
        where T : IFormattable
    {
        writer.WritePropertyName(name);
        writer.WriteRawValue($"[{string.Join(", ", values.Select(value => value.ToString(null, CultureInfo.InvariantCulture)))}]");
    }
}
