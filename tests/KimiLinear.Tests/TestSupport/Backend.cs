using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Model;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Every way to compute that this process has, by name.</summary>
internal static class Backend
{
    public const string Reference = "Reference";

    public static IEnumerable<string> Available =>
        [Reference, .. Enum.GetValues<SimdWidth>().Where(width => width <= CpuBackends.Widest).Select(width => width.ToString())];

    public static TheoryData<string> Names => new(Available);

    /// <summary>The default backend of this process.</summary>
    public static string Default => CpuBackends.Widest.ToString();

    public static ComputeBackend Create(string name, KimiLinearConfig config, int threadCount) => name == Reference
        ? new ReferenceBackend(config)
        : CpuBackends.Create(config, threadCount, Enum.Parse<SimdWidth>(name));

    public static KimiLinearModel Load(string directory, string backend, int threadCount = 2) =>
        ModelLoader.Load(directory, new ModelLoadOptions(), config => Create(backend, config, threadCount), null, default);
}
