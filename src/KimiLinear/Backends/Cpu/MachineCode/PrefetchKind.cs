namespace KimiLinear.Backends;

/// <summary>How a line of memory is asked for, by the number in the instruction.</summary>
internal enum PrefetchKind
{
    /// <summary>As one that is used once.</summary>
    Once = 0,

    /// <summary>Into the first-level cache.</summary>
    FirstLevel = 1,

    /// <summary>Into the second-level cache.</summary>
    SecondLevel = 2,

    /// <summary>Into the last level, or where a processor thinks best.</summary>
    ThirdLevel = 3,
}
