using System.Globalization;
using KimiLinear.Calibration;
using KimiLinear.Model;
using KimiLinear.Pruning;
using KimiLinear.Tokenization;

// From a model and some text to a smaller model: what 'kimi observe', 'kimi plan' and 'kimi prune' do, in code.
if (args is not [string modelPath, string dataPath, string targetPath, ..])
{
    Console.Error.WriteLine("Usage: PruneExperts MODEL DATA.jsonl TARGET [RATIO]");
    return 1;
}

decimal ratio = args.Length > 3 ? decimal.Parse(args[3], CultureInfo.InvariantCulture) : 0.3m;
using CancellationTokenSource interrupt = new();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    interrupt.Cancel();
};

// What lies beside the target is found again when the program is stopped: the same call goes on from there.
string observationPath = $"{targetPath}.observation.json";
CalibrationTokens data = CalibrationReader.Read(
    [new CalibrationFile(dataPath)], KimiTokenizer.Load(modelPath), cancellationToken: interrupt.Token);
ExpertStatistics statistics;
using (KimiLinearModel model = KimiLinearModel.Load(modelPath, cancellationToken: interrupt.Token))
{
    // A model that does not fit the memory: ExpertObserver.ObserveLayerWise.
    statistics = ExpertObserver.Observe(
        model,
        data,
        new ObservationOptions { ResultPath = observationPath },
        new Line<ObservationProgress>(value => $"{value.Step}: {value.Fraction:P0}, time left {value.TimeLeft:hh\\:mm\\:ss}"),
        interrupt.Token);
}

PruningPlan plan = PruningPlan.Create(statistics, new PruningOptions { Criterion = PruningCriterion.Reap, Ratio = ratio });
plan.Save($"{targetPath}.plan.json");
plan.Draw($"{targetPath}.plan.svg");
PruningPlan random = PruningPlan.Create(
    statistics, new PruningOptions { Criterion = PruningCriterion.Random, KeptExpertCount = plan.KeptExpertCount });
Console.WriteLine($"Chance would have kept {plan.CompareWith(random).Overlap:P0} of the same experts.");

CheckpointPruner.Prune(
    modelPath,
    targetPath,
    plan,
    new Line<PruneProgress>(value => $"{value.Step}: {value.Fraction:P0}, time left {value.TimeLeft:hh\\:mm\\:ss}"),
    interrupt.Token);

ModelSummary before = ModelSummary.Inspect(modelPath);
ModelSummary after = ModelSummary.Inspect(targetPath);
Console.WriteLine($"{before.Config.ExpertCount} experts became {after.Config.ExpertCount}, "
    + $"{before.ParameterCount:N0} parameters {after.ParameterCount:N0}, "
    + $"{before.WeightFileBytes:N0} bytes {after.WeightFileBytes:N0}.");
return 0;

/// <summary>Shows progress in one line.</summary>
internal sealed class Line<T>(Func<T, string> describe) : IProgress<T>
{
    public void Report(T value) => Console.Error.Write($"\r{describe(value),-70}");
}
