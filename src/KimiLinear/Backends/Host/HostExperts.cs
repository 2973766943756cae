using KimiLinear.Tensors;

namespace KimiLinear.Backends;

/// <summary>One matrix per expert.</summary>
internal sealed class HostExperts : Tensor
{
    private readonly HostMatrix[] _experts;

    public HostExperts(object owner, int partsPerExpert, ReadOnlySpan<StoredTensor> parts)
        : base(
            parts[0].DataType,
            new Shape(parts.Length / partsPerExpert, partsPerExpert * parts[0].Shape[0], parts[0].Shape[1]),
            owner)
    {
        _experts = new HostMatrix[parts.Length / partsPerExpert];
        for (int i = 0; i < _experts.Length; i++)
        {
            _experts[i] = new HostMatrix(owner, parts.Slice(i * partsPerExpert, partsPerExpert));
            DataTypes |= _experts[i].DataTypes;
        }
    }

    /// <summary>The types of all experts' parts.</summary>
    public DataTypeSet DataTypes { get; }

    public HostMatrix this[int expert] => _experts[expert];

    public override void Dispose()
    {
        // The memory belongs to the checkpoint.
    }
}
