using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Which of the equal forms of an operator the CPU backend takes; the defaults are the fastest measured.</summary>
internal sealed record CpuForms
{
    /// <summary>From this many tokens on, a run of the delta rule takes the chunked form; 64 is the longest run.</summary>
    public int ChunkThresholdTokens { get; init; } = 65;

    /// <summary>Which form latent attention takes; <see langword="null"/> for the one with fewer multiplications.</summary>
    public AttentionForm? LatentAttention { get; init; }

    /// <summary>How exactly activations are multiplied with quantised weights.</summary>
    public ActivationPrecision Activations { get; init; }

    /// <summary>What latent attention multiplies; without vectors it is always single precision.</summary>
    public AttentionArithmetic AttentionArithmetic { get; init; }

    /// <summary>Whether even the smallest job goes to all workers; for tests, whose models are small.</summary>
    public bool SharesAllWork { get; init; }
}
