namespace KimiLinear.Backends;

/// <summary>Constants of the half precision format.</summary>
internal static class Float16
{
    /// <summary>2^112: the difference of the exponent biases of single and half precision.</summary>
    public const float Rebias = 5.192296858534828e33f;
}
