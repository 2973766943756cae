namespace KimiLinear.Backends;

/// <summary>How a kernel reads stored weights as float32.</summary>
internal unsafe interface IWeightFormat
{
    /// <summary>Bytes one weight takes.</summary>
    static abstract int Size { get; }

    /// <summary>Reads a vector of weights; the address has no alignment.</summary>
    static abstract TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
