using System.Collections;
using KimiLinear.Model;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Keeps the reports of a loading, in order; unlike Progress&lt;T&gt; it is told on the loading thread.</summary>
internal sealed class Reports : IProgress<ModelLoadProgress>, IReadOnlyCollection<ModelLoadProgress>
{
    private readonly List<ModelLoadProgress> _reports = [];

    public Action<ModelLoadProgress>? OnReport { get; init; }

    public int Count => _reports.Count;

    public void Report(ModelLoadProgress value)
    {
        _reports.Add(value);
        OnReport?.Invoke(value);
    }

    public IEnumerator<ModelLoadProgress> GetEnumerator() => _reports.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
