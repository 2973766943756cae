namespace KimiLinear.Tests.Checkpoints;

/// <summary>A folder of its own for one test, removed with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("kimi-checkpoints-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        System.IO.File.WriteAllBytes(File(name), bytes);
        return File(name);
    }

    /// <summary>Makes a folder of links to the files of another, which is how the hub's cache holds a model.</summary>
    public string LinksTo(string folder)
    {
        string links = Directory.CreateDirectory(File("links")).FullName;
        foreach (string file in Directory.GetFiles(folder))
        {
            System.IO.File.CreateSymbolicLink(System.IO.Path.Combine(links, System.IO.Path.GetFileName(file)), file);
        }

        return links;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
