namespace KimiLinear.Backends;

/// <summary>Rounding by addition.</summary>
internal static class VectorRounding
{
    /// <summary>
    /// 1.5 · 2^23: added to a value of smaller magnitude than 2^22, it leaves the nearest integer in the lowest bits of the sum.
    /// </summary>
    public const float ToInteger = 12582912f;
}
