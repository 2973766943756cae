namespace KimiLinear.Backends;

/// <summary>Weights that can be unpacked into a <see cref="WeightPanel"/>.</summary>
internal unsafe interface IPanelSource
{
    /// <summary>Bytes of working memory that unpacking takes.</summary>
    long ScratchBytes { get; }

    /// <summary>Unpacks 16 rows of weights.</summary>
    /// <param name="index">Which 16 rows.</param>
    /// <param name="panel">Receives them.</param>
    /// <param name="tile">Where in the panel.</param>
    /// <param name="scratch">Working memory.</param>
    void Unpack(int index, WeightPanel panel, int tile, byte* scratch);
}
