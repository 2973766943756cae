using System.CommandLine;
using KimiLinear.Model;

namespace Kimi.CommandLine;

/// <summary>Options that several commands have.</summary>
internal static class CommonOptions
{
    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "The model's folder.",
        HelpName = "DIR",
        Required = true,
    };

    public static Option<int?> Threads()
    {
        Option<int?> option = new("--threads")
        {
            Description = "How many threads compute, 1 to 1024 [default: one for each processor].",
            HelpName = "N",
        };
        option.RequireRange(1, 1024);
        return option;
    }

    public static Option<bool> JsonLines(string description) => new("--jsonl") { Description = description };

    /// <summary>Refuses numbers outside a range while the command line is read.</summary>
    public static void RequireRange(this Option<int?> option, int lowest, int highest) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int?>() is int value && (value < lowest || value > highest))
        {
            result.AddError(highest == int.MaxValue
                ? $"{option.Name} must be at least {lowest}, but is {value}."
                : $"{option.Name} must be between {lowest} and {highest}, but is {value}.");
        }
    });

    public static ModelLoadOptions LoadOptions(int? threads) =>
        threads is int count ? new ModelLoadOptions { ThreadCount = count } : new ModelLoadOptions();
}
