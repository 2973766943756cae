using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Tests that read or set what the whole process shares, such as its memory counters.</summary>
/// <remarks>They run while no other test does.</remarks>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessWide
{
    public const string Name = "process-wide";
}
