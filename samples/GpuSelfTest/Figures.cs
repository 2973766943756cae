namespace GpuSelfTest;

/// <summary>The numbers of a stage, by names that say their unit.</summary>
internal sealed class Figures
{
    private readonly Dictionary<string, double> _values = [];

    public IReadOnlyDictionary<string, double> Values => _values;

    public void Add(string name, double value) => _values[name] = value;
}
