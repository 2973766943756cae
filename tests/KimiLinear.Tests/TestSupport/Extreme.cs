namespace KimiLinear.Tests.TestSupport;

/// <summary>Where in their range the numbers of a test lie.</summary>
public enum Extreme
{
    /// <summary>All are the largest.</summary>
    Highest,

    /// <summary>All are the smallest.</summary>
    Lowest,

    /// <summary>Each is one or the other.</summary>
    Either,

    /// <summary>Anywhere.</summary>
    None,
}
