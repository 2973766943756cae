namespace KimiLinear.Model;

/// <summary>Whether loading reads all weights through once, so that the first reply does not wait for the disk.</summary>
public enum WeightPreload
{
    /// <summary>Reads them when they fit into the memory that is available to the process.</summary>
    Auto,

    /// <summary>Always reads them.</summary>
    Always,

    /// <summary>Leaves them to be read as they are first used.</summary>
    Never,
}
