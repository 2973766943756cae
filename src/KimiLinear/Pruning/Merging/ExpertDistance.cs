namespace KimiLinear.Pruning;

/// <summary>How the distance of two vectors is taken.</summary>
public enum ExpertDistance
{
    /// <summary>The length of the difference.</summary>
    Euclidean,

    /// <summary>1 − cos of the angle between them; 1 when one is zero.</summary>
    Cosine,

    /// <summary>The angle between them as a part of half a turn.</summary>
    Angular,
}
