namespace KimiLinear.Backends;

/// <summary>Whether blocks of weights have an offset; a type, so that each case is compiled for itself.</summary>
internal interface IStripOffsets
{
    static abstract bool Exist { get; }
}

/// <summary>Unsigned codes and an offset to subtract.</summary>
internal readonly struct WithOffsets : IStripOffsets
{
    public static bool Exist => true;
}

/// <summary>Signed codes.</summary>
internal readonly struct WithoutOffsets : IStripOffsets
{
    public static bool Exist => false;
}
