using KimiLinear.Caching;

namespace Kimi.Benchmarking;

/// <summary>Decoding behind a context, run by run.</summary>
internal sealed class DepthRun(string test, int depth, SequenceState sequence)
{
    public string Test { get; } = test;

    public int Depth { get; } = depth;

    public SequenceState Sequence { get; } = sequence;

    /// <summary>Tokens the sequence had before the first run.</summary>
    public int FirstLength { get; } = sequence.Length;

    /// <summary>The token to decode next.</summary>
    public int Token { get; set; }

    public long AllocatedBytes { get; set; }

    public List<double> Speeds { get; } = [];

    /// <summary>How fast memory was read around each run, in 10⁹ bytes per second.</summary>
    public List<double> Bandwidths { get; } = [];
}
