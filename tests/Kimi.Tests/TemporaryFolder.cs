namespace Kimi.Tests;

/// <summary>A folder of its own for one test, removed with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("kimi-tool-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Copies some files of a model.</summary>
    public void CopyFrom(string model, params string[] names)
    {
        foreach (string name in names)
        {
            System.IO.File.Copy(System.IO.Path.Combine(model, name), File(name));
        }
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
