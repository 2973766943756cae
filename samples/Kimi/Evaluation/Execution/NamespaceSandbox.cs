namespace Kimi.Evaluation.Execution;

/// <summary>Namespaces of Linux, made with <c>unshare</c> and a script: part of every distribution.</summary>
internal sealed class NamespaceSandbox : Sandbox
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("kimi-sandbox-");

    public override string Name => "namespaces (unshare)";

    protected override IReadOnlyList<string> Command(PythonInterpreter python) =>
    [
        "unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork",
        "--kill-child=KILL", "--", "/bin/sh", "-c", EmbeddedText.Read("namespaces.sh"), "sh",
        _root.FullName, .. python.Folders, "--", python.Path,
    ];

    public override void Dispose()
    {
        base.Dispose();
        _root.Delete();
    }
}
