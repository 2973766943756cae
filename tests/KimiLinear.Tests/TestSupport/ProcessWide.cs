using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Tests that read or set what the whole process shares: its memory counters. They run while no other test does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessWide
{
    public const string Name = "process-wide";
}
