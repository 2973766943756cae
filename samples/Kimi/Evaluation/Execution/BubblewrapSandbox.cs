namespace Kimi.Evaluation.Execution;

/// <summary>Bubblewrap, the sandbox of Flatpak; some systems let only it make namespaces.</summary>
internal sealed class BubblewrapSandbox : Sandbox
{
    private const string TemporaryBytes = "67108864";

    private static readonly string[] SystemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

    public override string Name => "bubblewrap";

    protected override IReadOnlyList<string> Command(PythonInterpreter python) =>
    [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL",
        .. SystemFolders.SelectMany(Show),
        "--size", TemporaryBytes, "--tmpfs", "/tmp",
        .. python.Folders.Where(folder => !IsWithinSystem(folder)).SelectMany(folder => (string[])["--ro-bind", folder, folder]),

        // Not writable: of the system's settings in it, a caller who is root could change those of the whole machine.
        "--proc", "/proc", "--remount-ro", "/proc",
        "--dev", "/dev", "--chdir", "/tmp", "--", python.Path,
    ];

    // On most systems /bin and its like are links into /usr.
    private static string[] Show(string folder) =>
        new DirectoryInfo(folder).LinkTarget is { } target ? ["--symlink", target, folder]
        : Directory.Exists(folder) ? ["--ro-bind", folder, folder]
        : [];

    private static bool IsWithinSystem(string folder) =>
        folder == "/usr" || folder.StartsWith("/usr/", StringComparison.Ordinal);
}
