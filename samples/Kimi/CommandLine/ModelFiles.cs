using Kimi.Terminal;
using KimiLinear.Checkpoints;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace Kimi.CommandLine;

/// <summary>Opens the parts of a model, each with one clear error.</summary>
internal static class ModelFiles
{
    /// <summary>Finds out where a model lies: a path, or a name on the hub, which is only downloaded when asked to.</summary>
    public static async Task<string> FindAsync(string model, bool download, CommandTerminal terminal)
    {
        ModelHub hub = new();
        return download
            ? await DownloadProgressBar.RunAsync(progress => hub.ResolveAsync(model, progress, terminal.Interrupts.Token))
            : hub.Find(model);
    }

    /// <summary>Reads the configuration, which says whether there is a model at all.</summary>
    public static KimiLinearConfig LoadConfig(string modelPath) => KimiLinearModel.LoadConfig(modelPath);

    /// <summary>Loads the weights, saying how far it has come.</summary>
    public static KimiLinearModel Load(string modelPath, ModelLoadOptions options, CommandTerminal terminal)
    {
        StatusProgress progress = new("Loading the model", terminal.Status);
        KimiLinearModel model = KimiLinearModel.Load(modelPath, options, progress, terminal.Interrupts.Token);
        terminal.Status.Clear();
        return model;
    }
}
