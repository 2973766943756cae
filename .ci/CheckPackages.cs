#:property PublishAot=false

// Checks the packed files: dotnet run .ci/CheckPackages.cs -- <feed folder> <version>
using System.IO.Compression;
using System.Xml.Linq;

if (args is not [string feed, string version])
{
    Console.Error.WriteLine("Usage: CheckPackages <feed folder> <version>");
    return 2;
}

List<string> problems = [];
Check("KimiLinear", id => false);
Check("KimiLinear.Extensions.AI", id => id == "KimiLinear" || id.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal));
problems.ForEach(Console.Error.WriteLine);
return problems.Count == 0 ? 0 : 1;

void Check(string id, Predicate<string> mayDependOn)
{
    using ZipArchive package = ZipFile.OpenRead(Path.Combine(feed, $"{id}.{version}.nupkg"));
    using ZipArchive symbols = ZipFile.OpenRead(Path.Combine(feed, $"{id}.{version}.snupkg"));
    XElement metadata = Load(package, $"{id}.nuspec").Root!.Elements().Single();

    // A readme of one line is a title without a text.
    Require(id, Length(package, "README.md") > 200 && Value(metadata, "readme") == "README.md", "has no readme");
    Require(id, Value(metadata, "license") == "MIT", "does not name its licence");
    Require(id, !string.IsNullOrEmpty(Value(metadata, "description")), "has no description");
    Require(id, Length(package, $"lib/net10.0/{id}.dll") > 0, "has no assembly for net10.0");
    Require(id, Length(package, $"lib/net10.0/{id}.xml") > 0, "has no XML documentation");
    Require(id, Length(symbols, $"lib/net10.0/{id}.pdb") > 0, "has no symbols");

    string[] binaries = [.. package.Entries.Select(entry => entry.FullName)
        .Where(name => Path.GetExtension(name) is ".dll" or ".so" or ".dylib" or ".a" || name.StartsWith("runtimes/", StringComparison.Ordinal))];
    Require(id, binaries.SequenceEqual([$"lib/net10.0/{id}.dll"]), $"holds other binaries: {string.Join(", ", binaries)}");

    string[] dependencies = [.. metadata.Descendants().Where(element => element.Name.LocalName == "dependency")
        .Select(element => element.Attribute("id")!.Value).Order(StringComparer.Ordinal)];
    string[] unexpected = Array.FindAll(dependencies, dependency => !mayDependOn(dependency));
    Require(id, unexpected.Length == 0, $"depends on {string.Join(", ", unexpected)}");

    Console.WriteLine($"{id} {version}: {package.Entries.Count} files, dependencies: {(dependencies is [] ? "none" : string.Join(", ", dependencies))}");
}

void Require(string id, bool holds, string problem)
{
    if (!holds)
    {
        problems.Add($"{id} {version} {problem}.");
    }
}

static long Length(ZipArchive archive, string path) => archive.GetEntry(path)?.Length ?? 0;

static string? Value(XElement metadata, string name) =>
    metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;

static XDocument Load(ZipArchive archive, string path)
{
    using Stream stream = archive.GetEntry(path)!.Open();
    return XDocument.Load(stream);
}
