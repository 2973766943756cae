using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using KimiLinear.Configuration;

namespace KimiLinear.Pruning;

/// <summary>Calibration data as a model reads it: sequences of tokens, each of which starts afresh.</summary>
public sealed class CalibrationTokens
{
    /// <summary>Initializes a new instance of the <see cref="CalibrationTokens"/> class.</summary>
    /// <param name="sequences">The token ids of each sequence, at least one.</param>
    /// <param name="summary">Where they come from; its counts must be those of the sequences.</param>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">A sequence is empty, or the counts are others.</exception>
    public CalibrationTokens(IReadOnlyList<int[]> sequences, CalibrationSummary summary)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        ArgumentNullException.ThrowIfNull(summary);
        if (sequences.Count == 0 || sequences.Any(sequence => sequence.Length == 0))
        {
            throw new ArgumentException("There must be sequences, each of at least one token.", nameof(sequences));
        }

        TokenCount = sequences.Sum(sequence => (long)sequence.Length);
        if (summary.SequenceCount != sequences.Count || summary.TokenCount != TokenCount)
        {
            throw new ArgumentException(
                $"The summary speaks of {summary.SequenceCount} sequences and {summary.TokenCount} tokens, but there are "
                + $"{sequences.Count} and {TokenCount}.",
                nameof(summary));
        }

        Sequences = sequences;
        Summary = summary with { TokenHash = Hash() };
    }

    /// <summary>Gets the sequences.</summary>
    public IReadOnlyList<int[]> Sequences { get; }

    /// <summary>Gets where they come from.</summary>
    public CalibrationSummary Summary { get; }

    /// <summary>Gets the number of tokens in all sequences.</summary>
    public long TokenCount { get; }

    /// <summary>Makes calibration data of tokens that come from no file.</summary>
    /// <param name="sequences">The token ids of each sequence, at least one.</param>
    /// <returns>The data.</returns>
    /// <exception cref="ArgumentException">A sequence is empty, or there is none.</exception>
    public static CalibrationTokens FromSequences(IReadOnlyList<int[]> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        return new CalibrationTokens(
            sequences,
            new CalibrationSummary
            {
                Sources = [],
                MaxSequenceTokens = sequences.Select(sequence => sequence.Length).DefaultIfEmpty().Max(),
                Truncated = false,
                Packed = false,
                MaxTokens = null,
                Seed = null,
                SequenceCount = sequences.Count,
                TokenCount = sequences.Sum(sequence => (long)sequence.Length),
            });
    }

    /// <summary>Refuses sequences that a model cannot read.</summary>
    /// <exception cref="ArgumentException">One is too long, or holds a token that the model does not know.</exception>
    internal void RequireFit(KimiLinearConfig config)
    {
        for (int i = 0; i < Sequences.Count; i++)
        {
            int[] sequence = Sequences[i];
            if (sequence.Length > config.MaxContextTokens)
            {
                throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"Sequence {i} of the calibration data has {sequence.Length:N0} tokens, but the model accepts at most "
                    + $"{config.MaxContextTokens:N0}. Choose a lower limit for sequences."));
            }

            int wrong = Array.FindIndex(sequence, id => (uint)id >= (uint)config.VocabularySize);
            if (wrong >= 0)
            {
                throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"Token {wrong} of sequence {i} of the calibration data is {sequence[wrong]}, but ids go from 0 to "
                    + $"{config.VocabularySize - 1}. The data was made with another model's tokenizer."));
            }
        }
    }

    private string Hash()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<int> length = stackalloc int[1];
        foreach (int[] sequence in Sequences)
        {
            length[0] = sequence.Length;
            hash.AppendData(MemoryMarshal.AsBytes(length));
            hash.AppendData(MemoryMarshal.AsBytes(sequence.AsSpan()));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
