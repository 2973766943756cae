using System.CommandLine;
using KimiLinear.Pruning;

namespace Kimi.CommandLine;

/// <summary>The gate modes of an observation by their names.</summary>
internal static class GateOption
{
    public static Option<GateMode?> Create() => CommonOptions.Choice(
        "--gate",
        "What an expert's output is weighted with: 'model', as the model runs here and in serving engines; "
        + "'model-scaled', the same times the routed scaling factor; 'hf-alias', as the modelling code published with the "
        + "model; 'repo-literal', as the published REAP program [default: model].",
        GateModeName.All.ToDictionary(name => name, GateModeName.Parse));
}
