namespace KimiLinear.Tests.TestSupport;

/// <summary>Draws numbers from a range.</summary>
internal static class Extremes
{
    /// <summary>A number between two, either of which may come.</summary>
    public static int Next(this Random random, Extreme extreme, int min, int max) => extreme switch
    {
        Extreme.Highest => max,
        Extreme.Lowest => min,
        Extreme.Either => random.Next(2) == 0 ? min : max,
        _ => random.Next(min, max + 1),
    };
}
