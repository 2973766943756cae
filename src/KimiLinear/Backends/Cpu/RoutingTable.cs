using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>Which tokens visit which expert, expert by expert, for one batch.</summary>
/// <remarks>Kept in native memory so that workers can read it by pointer; grows and is reused.</remarks>
internal sealed unsafe class RoutingTable : IDisposable
{
    private NativeBuffer? _memory;

    /// <summary>The chosen experts, ascending within a token.</summary>
    public int* Experts { get; private set; } // [T, A]

    /// <summary>Their weights, scaling included.</summary>
    public float* Weights { get; private set; } // [T, A]

    /// <summary>Where each expert's visits begin; the next entry ends them.</summary>
    public int* Starts { get; private set; } // [E + 1]

    /// <summary>The visiting tokens, ascending within an expert.</summary>
    public int* Tokens { get; private set; } // [T·A]

    /// <summary>The weight of each visit.</summary>
    public float* VisitWeights { get; private set; } // [T·A]

    public void Reserve(int tokenCount, int activeCount, int expertCount)
    {
        long visits = (long)tokenCount * activeCount;
        long byteCount = sizeof(int) * ((4 * visits) + expertCount + 1);
        if (_memory is null || _memory.ByteCount < byteCount)
        {
            _memory?.Dispose();
            _memory = null;
            _memory = new NativeBuffer(byteCount);
        }

        Experts = (int*)_memory.Data;
        Weights = (float*)(Experts + visits);
        Tokens = (int*)(Weights + visits);
        VisitWeights = (float*)(Tokens + visits);
        Starts = (int*)(VisitWeights + visits);
    }

    /// <summary>Sorts the visits by expert; tokens keep their order.</summary>
    public void Group(int tokenCount, int activeCount, int expertCount)
    {
        new Span<int>(Starts, expertCount + 1).Clear();
        int visits = tokenCount * activeCount;
        for (int i = 0; i < visits; i++)
        {
            Starts[Experts[i]]++;
        }

        // Ends first; placing from the back turns them into starts.
        for (int expert = 1; expert <= expertCount; expert++)
        {
            Starts[expert] += Starts[expert - 1];
        }

        for (int i = visits - 1; i >= 0; i--)
        {
            int place = --Starts[Experts[i]];
            Tokens[place] = i / activeCount;
            VisitWeights[place] = Weights[i];
        }
    }

    public void Dispose() => _memory?.Dispose();
}
