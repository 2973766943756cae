using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace Kimi.CommandLine;

/// <summary>Opens the parts of a model, each with one clear error.</summary>
internal static class ModelFiles
{
    /// <summary>Refuses a path where nothing is.</summary>
    public static void Require(string modelPath)
    {
        if (!Directory.Exists(modelPath) && !File.Exists(modelPath))
        {
            throw new CommandException($"The model '{modelPath}' does not exist: there is no such folder and no such file.");
        }
    }

    /// <summary>Reads the configuration, which says whether there is a model at all.</summary>
    public static KimiLinearConfig LoadConfig(string modelPath)
    {
        Require(modelPath);
        return KimiLinearModel.LoadConfig(modelPath);
    }

    /// <summary>Loads the weights, saying how far it has come.</summary>
    public static KimiLinearModel Load(string modelPath, ModelLoadOptions options, CommandTerminal terminal)
    {
        StatusProgress progress = new("Loading the model", terminal.Status);
        KimiLinearModel model = KimiLinearModel.Load(modelPath, options, progress, terminal.Interrupts.Token);
        terminal.Status.Clear();
        return model;
    }
}
