using System.CommandLine;
using KimiLinear.Pruning;

namespace Kimi.CommandLine;

/// <summary>The gate modes of an observation by their names.</summary>
internal static class GateOption
{
    public static Option<GateMode?> Create() => new("--gate")
    {
        Description = "What an expert's output is weighted with: 'model', as the model runs here and in serving engines; "
            + "'model-scaled', the same times the routed scaling factor; 'hf-alias', as the modelling code published with the "
            + "model; 'repo-literal', as the published REAP program [default: model].",
        HelpName = string.Join('|', GateModeName.All),
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            try
            {
                return GateModeName.Parse(text);
            }
            catch (FormatException)
            {
                result.AddError($"--gate must be one of {string.Join(", ", GateModeName.All)}, but is '{text}'.");
                return null;
            }
        },
    };
}
