namespace KimiLinear.Tests.TestSupport;

/// <summary>Does something with every report, on the thread that reports; unlike Progress&lt;T&gt;.</summary>
internal sealed class Callback<T>(Action<T> action) : IProgress<T>
{
    public void Report(T value) => action(value);
}
