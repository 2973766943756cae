using KimiLinear.Tensors;

namespace KimiLinear.Checkpoints;

/// <summary>A tensor a model needs, and the shapes it may have in a file.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Shape">The shape it has in the published checkpoint.</param>
internal sealed record ExpectedTensor(string Name, Shape Shape)
{
    /// <summary>Another way to write the same values in the same order.</summary>
    public Shape? Alternative { get; init; }

    /// <summary>Whether any shape will do that has at least as many values; only the first ones are used.</summary>
    public bool AnyShapeWithEnoughValues { get; init; }

    /// <summary>The rule in words, for messages.</summary>
    public string Rule =>
        AnyShapeWithEnoughValues ? $"at least {Shape.ElementCount} values"
        : Alternative is null ? $"shape {Shape}"
        : $"shape {Shape} or {Alternative}";

    public bool Accepts(Shape actual) => AnyShapeWithEnoughValues
        ? actual.ElementCount >= Shape.ElementCount
        : actual.Equals(Shape) || actual.Equals(Alternative);
}
