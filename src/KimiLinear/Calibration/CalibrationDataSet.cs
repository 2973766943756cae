namespace KimiLinear.Calibration;

/// <summary>An entry of a composite data specification: so many records of a split of a data set.</summary>
/// <remarks>
/// The grammar is that of the published REAP program: <c>name[subset](split):N, …</c>. Data sets are looked for in a folder, never on
/// the hub.
/// </remarks>
/// <param name="Name">The name, perhaps with the organisation in front, as <c>open-r1/Mixture-of-Thoughts</c>.</param>
/// <param name="Subset">A part of the data set; <see langword="null"/> when none is named.</param>
/// <param name="Split">The split.</param>
/// <param name="RecordCount">How many records to use; <see langword="null"/> for all.</param>
public sealed record CalibrationDataSet(
    string Name, string? Subset = null, string Split = CalibrationDataSet.DefaultSplit, long? RecordCount = null)
{
    /// <summary>The split of an entry that names none.</summary>
    public const string DefaultSplit = "train";

    private static readonly string[] Extensions = [".jsonl", ".json"];

    /// <summary>Reads a specification of one or several data sets.</summary>
    /// <param name="specification">
    /// Entries with commas between them; of several, each must say how many records it gives, by ':' and a number behind it.
    /// </param>
    /// <returns>The entries, in their order.</returns>
    /// <exception cref="FormatException">An entry is none; the message says which, where it begins and what is wrong.</exception>
    public static IReadOnlyList<CalibrationDataSet> Parse(string specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        return DataSetSpecification.Parse(specification);
    }

    /// <summary>Finds the files of several data sets.</summary>
    /// <param name="dataSets">The data sets.</param>
    /// <param name="folder">The folder to look into.</param>
    /// <returns>The files, in the order of the data sets.</returns>
    /// <inheritdoc cref="Find" path="/exception"/>
    /// <exception cref="IOException">A data set has several files, or two have the same one.</exception>
    public static IReadOnlyList<CalibrationFile> FindAll(IEnumerable<CalibrationDataSet> dataSets, string folder)
    {
        ArgumentNullException.ThrowIfNull(dataSets);
        List<CalibrationFile> files = [];
        foreach (CalibrationDataSet dataSet in dataSets)
        {
            CalibrationFile file = dataSet.Find(folder);
            if (files.Find(other => other.Path == file.Path) is { } same)
            {
                throw new IOException(
                    $"The data sets '{same.DataSet}' and '{dataSet}' are both in '{file.Path}', whose records would count twice. Leave "
                    + "one of them out, or put each into a file of its own.");
            }

            files.Add(file);
        }

        return files;
    }

    /// <summary>Finds the file of the data set.</summary>
    /// <remarks>
    /// It is <c>name/subset/split.jsonl</c>, or <c>name/split.jsonl</c> where no subset is named. The split "train" may also be the whole
    /// of <c>name/subset.jsonl</c> or <c>name.jsonl</c>. In each case the organisation may be left out, and the ending may be
    /// <c>.json</c>; the file holds one record per line either way.
    /// </remarks>
    /// <param name="folder">The folder to look into.</param>
    /// <returns>The file, with what is to be used of it.</returns>
    /// <exception cref="ArgumentException">Name, subset or split is no path below a folder.</exception>
    /// <exception cref="FileNotFoundException">There is none; the message lists what was looked for.</exception>
    /// <exception cref="IOException">There are several.</exception>
    public CalibrationFile Find(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        foreach (string part in (string[])[Name, Subset ?? Name, Split])
        {
            if (!DataSetSpecification.IsPath(part))
            {
                throw new ArgumentException(
                    $"The data set '{this}' has a part '{part}'; name, subset and split must lead to a place below the folder.");
            }
        }

        string[] candidates = [.. Candidates().Distinct(StringComparer.Ordinal)];
        string[] present = [.. candidates.Where(candidate => File.Exists(Path.Combine(folder, candidate)))];
        return present.Length switch
        {
            1 => new CalibrationFile(Path.Combine(folder, present[0])) { RecordCount = RecordCount, DataSet = this },
            0 => throw new FileNotFoundException(
                $"'{folder}' holds no file for the data set '{this}'. Looked for {string.Join(", ", candidates)}."),
            _ => throw new IOException(
                $"'{folder}' holds several files for the data set '{this}': {string.Join(", ", present)}. Keep one of them."),
        };
    }

    /// <summary>Writes the entry as a specification has it.</summary>
    /// <returns>The entry, with its split.</returns>
    public override string ToString()
    {
        string subset = Subset is null ? "" : $"[{Subset}]";
        string count = RecordCount is long number ? FormattableString.Invariant($":{number}") : "";
        return $"{Name}{subset}({Split}){count}";
    }

    private IEnumerable<string> Candidates()
    {
        foreach (string name in (string[])[Name, Name[(Name.LastIndexOf('/') + 1)..]])
        {
            string whole = Subset is null ? name : $"{name}/{Subset}";
            foreach (string path in Split == DefaultSplit ? (string[])[$"{whole}/{Split}", whole] : [$"{whole}/{Split}"])
            {
                foreach (string extension in Extensions)
                {
                    yield return path + extension;
                }
            }
        }
    }
}
