using System.Diagnostics;
using Kimi.CommandLine;
using Kimi.Evaluation.Runs;
using KimiLinear.Caching;
using KimiLinear.Model;

namespace Kimi.Evaluation.Perplexity;

/// <summary>Reads documents with a model, perhaps a reference beside it, and keeps how well it foresees their tokens.</summary>
/// <param name="model">The model.</param>
/// <param name="reference">The model that it is held against, of the same vocabulary; may be <see langword="null"/>.</param>
internal sealed class PerplexityRun(KimiLinearModel model, KimiLinearModel? reference)
{
    // Few enough that a vocabulary of 160,000 takes 40 MB for each model, and that Ctrl+C is noticed soon.
    private const int TokensPerStep = 64;

    /// <summary>Reads what the folder lacks.</summary>
    /// <param name="documents">The tokens of each document.</param>
    /// <param name="folder">The run.</param>
    /// <param name="progress">Told how far it has come, in tokens.</param>
    /// <param name="cancellationToken">Ends it between steps.</param>
    /// <returns>All results, in the order of the documents.</returns>
    public IReadOnlyList<DocumentResult> Run(
        IReadOnlyList<int[]> documents,
        RunFolder<PerplexityProtocol, DocumentResult> folder,
        IProgress<RunProgress>? progress,
        CancellationToken cancellationToken)
    {
        Dictionary<int, DocumentResult> results = folder.Done.ToDictionary(done => done.Index);
        int total = documents.Sum(document => document.Length - 1);
        int before = results.Values.Sum(done => done.Tokens);
        int tokens = before;
        Stopwatch watch = Stopwatch.StartNew();
        for (int i = 0; i < documents.Count; i++)
        {
            if (!results.ContainsKey(i))
            {
                DocumentResult result = Read(documents[i], i, Count, cancellationToken);
                folder.Append(result);
                results.Add(i, result);
            }
        }

        return [.. Enumerable.Range(0, documents.Count).Select(i => results[i])];

        void Count(int predicted)
        {
            tokens += predicted;
            TimeSpan left = watch.Elapsed / (tokens - before) * (total - tokens);
            progress?.Report(new RunProgress(tokens, total, null, left));
        }
    }

    private DocumentResult Read(int[] ids, int index, Action<int> count, CancellationToken cancellationToken)
    {
        int vocabulary = model.Config.VocabularySize;
        int predicted = ids.Length - 1;
        double loss = 0, referenceLoss = 0, divergence = 0;
        int agreements = 0;
        using SequenceState sequence = model.CreateSequence();
        using SequenceState? referenceSequence = reference?.CreateSequence();
        float[] logits = new float[Math.Min(TokensPerStep, predicted) * vocabulary];
        float[] referenceLogits = new float[reference is null ? 0 : logits.Length];
        for (int from = 0; from < predicted; from += TokensPerStep)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int step = Math.Min(TokensPerStep, predicted - from);
            model.ForwardEveryToken(sequence, ids.AsSpan(from, step), logits.AsSpan(0, step * vocabulary));
            reference?.ForwardEveryToken(
                referenceSequence!, ids.AsSpan(from, step), referenceLogits.AsSpan(0, step * vocabulary));
            for (int i = 0; i < step; i++)
            {
                ReadOnlySpan<float> row = logits.AsSpan(i * vocabulary, vocabulary);
                loss += TokenScores.Loss(row, ids[from + i + 1]);
                if (reference is not null)
                {
                    ReadOnlySpan<float> referenceRow = referenceLogits.AsSpan(i * vocabulary, vocabulary);
                    referenceLoss += TokenScores.Loss(referenceRow, ids[from + i + 1]);
                    divergence += TokenScores.Divergence(referenceRow, row);
                    agreements += TokenScores.Best(row) == TokenScores.Best(referenceRow) ? 1 : 0;
                }
            }

            count(step);
        }

        if (!double.IsFinite(loss + referenceLoss + divergence))
        {
            string name = double.IsFinite(loss) && !double.IsFinite(referenceLoss) ? reference!.Name : model.Name;
            throw new CommandException(
                $"The model '{name}' gives document {index + 1} a loss that is no finite number. Its weights are damaged or its "
                + "arithmetic overflowed; check the checkpoint's files.");
        }

        return new DocumentResult
        {
            Index = index,
            Tokens = predicted,
            Loss = loss,
            ReferenceLoss = reference is null ? null : referenceLoss,
            Divergence = reference is null ? null : divergence,
            Agreements = reference is null ? null : agreements,
        };
    }
}
