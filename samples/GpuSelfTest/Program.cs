using System.CommandLine;
using GpuSelfTest;
using KimiLinear.Kernels.Tests;

Option<int> device = new("--device") { Description = "Which GPU, counted from 0.", DefaultValueFactory = _ => 0 };
Option<string[]> only = new("--only")
{
    Description = "The kinds of stages to run: kernels, models, timings.",
    AllowMultipleArgumentsPerToken = true,
    DefaultValueFactory = _ => ["kernels", "models", "timings"],
};
only.AcceptOnlyFromAmong("kernels", "models", "timings");
Option<string?> json = new("--json") { Description = "A file for the results, besides the last line of the output." };
Option<int> seed = new("--seed") { Description = "What the random inputs depend on; a new one each time unless it is named." };
seed.DefaultValueFactory = _ => Environment.TickCount & 0xFFFFFF;
RootCommand command = new("Checks on an NVIDIA GPU what cannot be checked without one, and measures how fast it is.")
{
    device, only, json, seed,
};
command.SetAction((result, cancellationToken) =>
{
    Samples.Seed = result.GetValue(seed);
    SelfTest test = new(result.GetValue(device), result.GetValue(only)!, cancellationToken);
    return Task.FromResult(test.Run(result.GetValue(json)) ? 0 : 1);
});
return await command.Parse(args).InvokeAsync();
