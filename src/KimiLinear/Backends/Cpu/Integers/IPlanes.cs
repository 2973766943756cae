namespace KimiLinear.Backends;

/// <summary>Whether activations come as one plane of bytes or as two; a type, so that each case is compiled for itself.</summary>
internal interface IPlanes
{
    static abstract bool HasLowPlane { get; }
}

/// <summary><see cref="QuantizedForm.Bytes"/>.</summary>
internal readonly struct OnePlane : IPlanes
{
    public static bool HasLowPlane => false;
}

/// <summary><see cref="QuantizedForm.BytePairs"/>.</summary>
internal readonly struct TwoPlanes : IPlanes
{
    public static bool HasLowPlane => true;
}
