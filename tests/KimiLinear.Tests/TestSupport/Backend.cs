using System.Runtime.Intrinsics;
using KimiLinear.Backends;
using KimiLinear.Configuration;
using KimiLinear.Model;
using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Every way to compute that this machine has, by name.</summary>
internal static class Backend
{
    public static TheoryData<string> Names => new(Available);

    public static IEnumerable<string> Available
    {
        get
        {
            yield return "reference";
            yield break;
            #pragma warning disable CS0162
            yield return "scalar";
            if (Vector128.IsHardwareAccelerated)
            {
                yield return "128";
            }

            if (Vector256.IsHardwareAccelerated)
            {
                yield return "256";
            }

            if (Vector512.IsHardwareAccelerated)
            {
                yield return "512";
            }
        }
    }

    public static ComputeBackend Create(string name, KimiLinearConfig config, int threadCount) => name switch
    {
        "reference" => new ReferenceBackend(config),
        _ => CpuBackends.Create(config, threadCount),
    };

    public static KimiLinearModel Load(string directory, string backend, int threadCount = 2) =>
        ModelLoader.Load(directory, new ModelLoadOptions(), config => Create(backend, config, threadCount), null, default);
}
