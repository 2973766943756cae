using System.Globalization;
using System.Text;

namespace KimiLinear.Checkpoints;

/// <summary>When files were written, as a part of what tells one state of a model from another.</summary>
internal static class WriteTimes
{
    /// <summary>A line for each file, in ordinal order of the paths, of when it was written; of a link, the file it leads to.</summary>
    public static byte[] Lines(IEnumerable<string> files)
    {
        StringBuilder text = new();
        foreach (string file in files.Order(StringComparer.Ordinal))
        {
            // The hub's cache is made of links, and their own times say nothing of the content.
            string target = File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;
            _ = text.Append(CultureInfo.InvariantCulture, $"{File.GetLastWriteTimeUtc(target).Ticks}\n");
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
