using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using KimiLinear.Chat;
using KimiLinear.Pruning;
using KimiLinear.Sampling;
using KimiLinear.Tokenization;

namespace KimiLinear.Calibration;

/// <summary>Reads calibration data and turns it into sequences of tokens, conversations by the model's chat template.</summary>
/// <remarks>
/// The files are JSON Lines. A record is <c>{"messages": […]}</c>, perhaps with <c>"tools"</c>, as in the OpenAI API;
/// <c>{"text": "…"}</c>; <c>{"ids": […]}</c>; or has the columns of one of the data sets that docs/pruning.md names. Text is
/// encoded as it is, without a token in front.
/// </remarks>
public static class CalibrationReader
{
    private const int RecordsPerReport = 16;

    /// <summary>Reads files.</summary>
    /// <param name="files">The files, at least one.</param>
    /// <param name="tokenizer">The model's tokenizer; <see langword="null"/> where the records hold token ids.</param>
    /// <param name="options">How; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told how far it has come, from the calling thread.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The sequences, and what they were made of.</returns>
    /// <exception cref="ArgumentException">
    /// There are no files, a weight is not above 0, or weights differ where no limit is to be divided; or there is a limit, and files say
    /// themselves how many records to use.
    /// </exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="PruningFileException">
    /// A line is no record, or its tokens are not the model's; the message names the file, the line and what is wrong. Or a file holds nothing that can be used, or fewer
    /// records than it should give.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static CalibrationTokens Read(
        IReadOnlyList<CalibrationFile> files,
        KimiTokenizer? tokenizer,
        CalibrationOptions? options = null,
        IProgress<CalibrationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        options ??= new CalibrationOptions();
        RequireWeights(files, options);
        long[]? tokens = Shares.Divide(options.MaxTokens, files);
        long[]? records = Shares.Divide(options.MaxRecords, files);
        SequenceBuilder builder = new(options.MaxSequenceTokens, options.Packs);
        CalibrationSource[] sources = new CalibrationSource[files.Count];
        for (int i = 0; i < files.Count; i++)
        {
            FileReader reader = new(files[i], tokenizer, options, builder, progress);
            sources[i] = reader.Read(
                tokens?[i] ?? long.MaxValue, files[i].RecordCount ?? records?[i] ?? long.MaxValue, cancellationToken);
        }

        IReadOnlyList<int[]> sequences = builder.Build();
        return new CalibrationTokens(sequences, new CalibrationSummary
        {
            Sources = sources,
            MaxSequenceTokens = options.MaxSequenceTokens,
            Truncated = !options.SkipsLongRecords,
            Packed = options.Packs,
            MaxTokens = options.MaxTokens,
            MaxRecords = options.MaxRecords,
            Seed = options.Seed,
            SequenceCount = sequences.Count,
            TokenCount = builder.TokenCount,
        });
    }

    private static void RequireWeights(IReadOnlyList<CalibrationFile> files, CalibrationOptions options)
    {
        if (files.Count == 0)
        {
            throw new ArgumentException("There must be at least one file of calibration data.", nameof(files));
        }

        if (files.FirstOrDefault(file => !(file.Weight > 0 && double.IsFinite(file.Weight))) is { } wrong)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"The weight of a file must be above 0, but that of '{wrong.Path}' is {wrong.Weight}."));
        }

        if ((options.MaxTokens ?? options.MaxRecords) is not null && files.FirstOrDefault(file => file.RecordCount is not null) is { } own)
        {
            throw new ArgumentException(
                $"'{own.Path}' is to give {own.RecordCount} records, so there can be no limit on the tokens or records of all files.");
        }

        if (options.MaxTokens is null && options.MaxRecords is null && files.Any(file => file.Weight != files[0].Weight))
        {
            throw new ArgumentException("Weights divide a limit on tokens or records among the files, but there is no limit. Give one.");
        }
    }

    /// <summary>One file: its records, until the file or its share ends.</summary>
    private sealed class FileReader(
        CalibrationFile file,
        KimiTokenizer? tokenizer,
        CalibrationOptions options,
        SequenceBuilder builder,
        IProgress<CalibrationProgress>? progress)
    {
        private readonly string _name = Path.GetFileName(file.Path);
        private readonly SortedSet<string> _formats = new(StringComparer.Ordinal);
        private long _used;
        private long _cut;
        private long _tokens;

        public CalibrationSource Read(long tokenShare, long recordShare, CancellationToken cancellationToken)
        {
            progress?.Report(new CalibrationProgress(_name, 0, 0, builder.TokenCount));
            using RecordFile records = RecordFile.Open(file.Path, cancellationToken);
            int[] order = Order(records.Count);
            for (int i = 0; i < order.Length && _used < recordShare && _tokens < tokenShare; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Use(Encode(records, order[i]), tokenShare - _tokens);
                if (i % RecordsPerReport == 0)
                {
                    progress?.Report(new CalibrationProgress(_name, i + 1, order.Length, builder.TokenCount));
                }
            }

            if (_used > 0 && _used < file.RecordCount)
            {
                throw new PruningFileException(
                    $"'{file.Path}' holds {records.Count} records, of which {_used} can be used, but {file.RecordCount} are asked for. Ask "
                    + "for fewer.",
                    file.Path);
            }

            return _used == 0
                ? throw new PruningFileException(
                    $"'{file.Path}' holds no record that can be used"
                    + (records.Count == 0 ? ": it is empty." : $": all are longer than {options.MaxSequenceTokens} tokens."),
                    file.Path)
                : new CalibrationSource
                {
                    FileName = _name,
                    DataSet = file.DataSet?.ToString(),
                    Sha256 = records.Sha256,
                    Format = string.Join(", ", _formats),
                    Weight = file.Weight,
                    RecordCount = records.Count,
                    UsedRecordCount = _used,
                    TruncatedRecordCount = _cut,
                    TokenCount = _tokens,
                };
        }

        private void Use(List<int> ids, long room)
        {
            if (options.SkipsLongRecords && ids.Count > options.MaxSequenceTokens)
            {
                return;
            }

            int count = (int)Math.Min(ids.Count, room);
            int taken = builder.Add(CollectionsMarshal.AsSpan(ids)[..count]);
            _used++;
            _cut += taken < ids.Count ? 1 : 0;
            _tokens += taken;
        }

        private List<int> Encode(RecordFile records, int index)
        {
            try
            {
                ReadOnlySpan<byte> line = records.Read(index);
                CalibrationRecord record = RecordReader.Read(line);
                _formats.Add(record.Format);
                List<int> ids = Encode(record);
                RequireKnown(ids, record.Ids is not null);
                return ids.Count > 0 ? ids : throw new JsonException("it holds no text.");
            }
            catch (Exception exception) when (exception is JsonException or NotSupportedException or ArgumentException)
            {
                throw new PruningFileException(
                    $"'{file.Path}', line {records.LineNumber(index)}: {exception.Message}", file.Path, exception);
            }
        }

        private void RequireKnown(List<int> ids, bool areGiven)
        {
            if (options.VocabularySize is int size && ids.FindIndex(id => (uint)id >= (uint)size) is int index and >= 0)
            {
                string remedy = areGiven ? "It was made with another model's tokenizer." : "The tokenizer is another model's.";
                throw new JsonException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"its token {index} is {ids[index]}, but the model's ids go from 0 to {size - 1}. {remedy}"));
            }
        }

        private List<int> Encode(CalibrationRecord record)
        {
            if (record.Ids is not null)
            {
                return [.. record.Ids];
            }

            if (tokenizer is null)
            {
                throw new NotSupportedException(
                    $"it is of the form '{record.Format}', but the model has no tokenizer. Without one, records must hold 'ids'.");
            }

            List<int> ids = [];
            if (record.Text is not null)
            {
                tokenizer.Encode(record.Text, ids);
            }
            else
            {
                ChatTemplate.Encode(tokenizer, record.Turns, record.Tools ?? options.Tools, addGenerationPrompt: false, ids);
            }

            return ids;
        }

        // Each record once, in the order of the file or in an order drawn by the seed: Fisher and Yates.
        private int[] Order(int count)
        {
            int[] order = [.. Enumerable.Range(0, count)];
            if (options.Seed is int seed)
            {
                Xoshiro256 random = new((ulong)seed);
                for (int i = count - 1; i > 0; i--)
                {
                    int other = (int)(random.NextDouble() * (i + 1));
                    (order[i], order[other]) = (order[other], order[i]);
                }
            }

            return order;
        }
    }
}
