namespace KimiLinear.Backends;

/// <summary>How many blocks of how many threads a kernel runs in, and how much shared memory each block gets.</summary>
internal readonly record struct LaunchShape(int GridX, int GridY, int GridZ, int ThreadCount, int SharedBytes)
{
    /// <summary>The lanes of a warp; blocks are whole warps.</summary>
    public const int WarpSize = 32;

    // The limits of every device that the library takes; the first dimension has room for more than an int.
    private const int MaxGridYZ = 65535;
    private const int MaxThreads = 1024;

    /// <summary>Throws when no device could run it, naming the kernel.</summary>
    public void Require(string kernel)
    {
        bool isPossible = GridX > 0 && GridY is > 0 and <= MaxGridYZ && GridZ is > 0 and <= MaxGridYZ
            && ThreadCount is > 0 and <= MaxThreads && ThreadCount % WarpSize == 0 && SharedBytes >= 0;
        if (!isPossible)
        {
            throw new ArgumentOutOfRangeException(
                nameof(kernel),
                $"{kernel} cannot run in {GridX} × {GridY} × {GridZ} blocks of {ThreadCount} threads "
                + $"with {SharedBytes} shared bytes.");
        }
    }
}
