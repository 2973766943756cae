using Kimi.Terminal;
using KimiLinear.Configuration;
using KimiLinear.Model;

namespace Kimi.CommandLine;

/// <summary>Opens the parts of a model folder, each with one clear error.</summary>
internal static class ModelFolder
{
    /// <summary>Refuses a path that is no folder.</summary>
    public static void Require(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new CommandException(File.Exists(directory)
                ? $"'{directory}' is a file, but the folder of a model is needed."
                : $"The model folder '{directory}' does not exist.");
        }
    }

    /// <summary>Reads the configuration, which says whether the folder holds a model at all.</summary>
    public static KimiLinearConfig LoadConfig(string directory)
    {
        Require(directory);
        return KimiLinearConfig.Load(directory);
    }

    /// <summary>Loads the weights, saying how far it has come.</summary>
    public static KimiLinearModel Load(string directory, ModelLoadOptions options, CommandTerminal terminal)
    {
        StatusProgress progress = new("Loading the model", terminal.Status);
        KimiLinearModel model = KimiLinearModel.Load(directory, options, progress, terminal.Interrupts.Token);
        terminal.Status.Clear();
        return model;
    }
}
