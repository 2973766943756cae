using System.IO.Enumeration;

namespace KimiLinear.Checkpoints;

/// <summary>The files beside a model's weights that a copy of it takes along.</summary>
internal static class CompanionFiles
{
    // The terms a model comes under.
    private static readonly string[] Terms = ["LICENSE*", "LICENCE*", "NOTICE*", "THIRD_PARTY*", "COPYING*"];

    // What describes a model or its text; a GGUF file has these inside, and strangers may lie beside it.
    private static readonly string[] Descriptions =
    [
        "generation_config.json", "tokenizer*", "tiktoken*", "*.tiktoken", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "merges.txt", "chat_template*",
    ];

    /// <summary>Copies what describes a model or its text, and the terms it comes under.</summary>
    /// <param name="source">Where the model lies.</param>
    /// <param name="folder">Where the files go; those of an earlier call are replaced.</param>
    /// <param name="more">Patterns of further files to take along, where the source is a folder.</param>
    public static void Copy(ModelLocation source, string folder, params string[] more)
    {
        string from = source.IsGguf ? Path.GetDirectoryName(Path.GetFullPath(source.Path))! : source.Path;
        string[] patterns = source.IsGguf ? Terms : [.. Terms, .. Descriptions, .. more];
        foreach (string path in Directory.GetFiles(from))
        {
            string name = Path.GetFileName(path);
            if (patterns.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: true)))
            {
                File.Copy(path, Path.Combine(folder, name), overwrite: true);
            }
        }
    }
}
