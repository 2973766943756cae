using System.Globalization;

namespace KimiLinear.Checkpoints;

/// <summary>How a model that was split into several GGUF files says so, in its names and in its metadata.</summary>
internal static class GgufParts
{
    private const string IndexKey = "split.no";
    private const string CountKey = "split.count";
    private const string TensorCountKey = "split.tensors.count";

    // "-00001-of-00003.gguf"
    private const int DigitCount = 5;
    private const string Between = "-of-";
    private const int SuffixLength = 1 + DigitCount + 4 + DigitCount + 5;

    // Enough to see which are missing when only the first was fetched.
    private const int MaxListedParts = 20;

    /// <summary>Tells whether a file's name says that it is a later part of a model in several files.</summary>
    public static bool IsLaterPart(string filePath) =>
        TryParseName(filePath, out _, out int number, out _) && number > 1;

    /// <summary>The name of a model: that of its file, without the ending and the number of the part.</summary>
    public static string ModelName(string filePath) => Path.GetFileNameWithoutExtension(
        TryParseName(filePath, out string prefix, out _, out _) ? $"{prefix}{GgufFile.Extension}" : filePath);

    /// <summary>The name of a file of a model in one file or several.</summary>
    public static string FileName(string modelName, int index, int count) =>
        modelName + (count == 1 ? GgufFile.Extension : Suffix(index, count));

    /// <summary>The names of all files of a model, the first part first, by the name of any: itself when it is whole.</summary>
    public static IReadOnlyList<string> Names(string filePath) =>
        TryParseName(filePath, out string prefix, out int number, out int count) && number <= count
        ? [.. Enumerable.Range(0, count).Select(i => prefix + Suffix(i, count))]
        : [filePath];

    /// <summary>Opens the files of a model, given the first.</summary>
    /// <exception cref="CheckpointFormatException">It is not the first, or another is missing, damaged or foreign.</exception>
    public static IReadOnlyList<GgufFile> Open(string firstPath)
    {
        List<GgufFile> files = [GgufFile.Open(firstPath)];
        try
        {
            int count = PartCount(files[0]);
            string[] paths = count == 1 ? [firstPath] : PartPaths(firstPath, files[0], count);
            for (int i = 1; i < count; i++)
            {
                files.Add(GgufFile.Open(paths[i]));
                RequirePart(files[i], i, count);
            }

            RequireTensors(files);
            return files;
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    private static int PartCount(GgufFile file) =>
        (int)(file.Metadata.OptionalInteger(CountKey, 0, ushort.MaxValue) is long count and > 1 ? count : 1);

    private static int PartIndex(GgufFile file, int count) =>
        (int)(file.Metadata.OptionalInteger(IndexKey, 0, count - 1) ?? throw file.Metadata.Missing(IndexKey));

    private static string[] PartPaths(string firstPath, GgufFile first, int count)
    {
        int index = PartIndex(first, count);
        string expected = Suffix(index, count);
        if (!firstPath.EndsWith(expected, StringComparison.OrdinalIgnoreCase))
        {
            throw new CheckpointFormatException(
                $"'{firstPath}' is part {index + 1} of a model in {count} files, so its name must end in '{expected}'. Give all "
                + "parts their original names.",
                firstPath);
        }

        string prefix = firstPath[..^SuffixLength];
        if (index > 0)
        {
            throw new CheckpointFormatException(
                $"'{firstPath}' is part {index + 1} of a model in {count} files. Open the first part instead: "
                + $"'{prefix}{Suffix(0, count)}'.",
                firstPath);
        }

        string[] paths = [firstPath, .. Enumerable.Range(1, count - 1).Select(i => prefix + Suffix(i, count))];
        string[] missing = [.. paths.Where(path => !File.Exists(path)).Select(path => Path.GetFileName(path)!)];
        return missing.Length == 0
            ? paths
            : throw new CheckpointFormatException(
                $"'{firstPath}' is the first of {count} files, but {missing.Length} of the others are not beside it:"
                + $"{new ProblemList(missing, MaxListedParts)}\nFetch them into the same folder.",
                firstPath);
    }

    private static void RequirePart(GgufFile file, int index, int count)
    {
        int actualCount = PartCount(file);
        if (actualCount != count || PartIndex(file, count) != index)
        {
            string actual = actualCount == 1 ? "whole" : $"part {PartIndex(file, actualCount) + 1} of {actualCount}";
            throw new CheckpointFormatException(
                $"'{file.FilePath}' must be part {index + 1} of {count} by its name, but says that it is {actual}. Fetch it again.",
                file.FilePath);
        }
    }

    private static void RequireTensors(List<GgufFile> files)
    {
        Dictionary<string, string> fileByTensor = [];
        foreach (GgufFile file in files)
        {
            foreach (GgufEntry entry in file.Entries)
            {
                if (!fileByTensor.TryAdd(entry.Name, file.FilePath))
                {
                    throw new CheckpointFormatException(
                        $"{entry.Name} is in '{file.FilePath}', but also in '{fileByTensor[entry.Name]}'. The files do not "
                        + "belong together: fetch them again.",
                        file.FilePath);
                }
            }
        }

        GgufFile first = files[0];
        if (files.Count > 1
            && first.Metadata.OptionalInteger(TensorCountKey, 0, long.MaxValue) is long expected
            && expected != fileByTensor.Count)
        {
            throw new CheckpointFormatException(
                $"The {files.Count} files that begin with '{first.FilePath}' must hold {expected} tensors together, but hold "
                + $"{fileByTensor.Count}. They do not belong together: fetch them again.",
                first.FilePath);
        }
    }

    private static string Suffix(int index, int count) => string.Create(
        CultureInfo.InvariantCulture, $"-{index + 1:D5}{Between}{count:D5}{GgufFile.Extension}");

    private static bool TryParseName(string filePath, out string prefix, out int number, out int count)
    {
        (prefix, number, count) = ("", 0, 0);
        if (filePath.Length < SuffixLength)
        {
            return false;
        }

        prefix = filePath[..^SuffixLength];
        ReadOnlySpan<char> suffix = filePath.AsSpan(prefix.Length);
        int countStart = 1 + DigitCount + Between.Length;
        return int.TryParse(suffix.Slice(1, DigitCount), NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && int.TryParse(
                suffix.Slice(countStart, DigitCount), NumberStyles.None, CultureInfo.InvariantCulture, out count)
            && number >= 1
            && suffix.Equals(Suffix(number - 1, count), StringComparison.OrdinalIgnoreCase);
    }
}
