namespace Kimi.Evaluation.Execution;

/// <summary>The scripts that come within the tool.</summary>
internal static class EmbeddedText
{
    public static string Read(string name)
    {
        using StreamReader reader = new(typeof(EmbeddedText).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
