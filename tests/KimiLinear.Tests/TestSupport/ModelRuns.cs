using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Layers;
using KimiLinear.Model;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Ways to send tokens through a model.</summary>
internal static class ModelRuns
{
    /// <summary>Appends tokens in pieces; the logits after each of them.</summary>
    public static float[] EveryLogits(
        this KimiLinearModel model,
        SequenceState sequence,
        int[] ids,
        int pieceLength,
        IForwardObserver? observer = null,
        bool isPrompt = false)
    {
        int width = model.Config.VocabularySize;
        float[] logits = new float[ids.Length * width];
        for (int start = 0; start < ids.Length; start += pieceLength)
        {
            int count = Math.Min(pieceLength, ids.Length - start);
            BatchEntry entry = new(sequence, ids.AsMemory(start, count), LogitsRequest.EveryToken, isPrompt);
            model.Forward([entry], logits.AsSpan(start * width, count * width), observer);
        }

        return logits;
    }

    /// <summary>Appends tokens in one step to a new sequence; the logits after each of them.</summary>
    public static float[] EveryLogits(this KimiLinearModel model, int[] ids)
    {
        using SequenceState sequence = model.CreateSequence();
        return model.EveryLogits(sequence, ids, ids.Length);
    }

    /// <summary>Appends tokens in one step; the logits after the last of them.</summary>
    public static float[] LastLogits(this KimiLinearModel model, SequenceState sequence, params int[] ids)
    {
        float[] logits = new float[model.Config.VocabularySize];
        model.Forward(sequence, ids, logits);
        return logits;
    }

    /// <summary>Appends tokens one by one; the logits after each of them.</summary>
    public static float[] Decode(this KimiLinearModel model, SequenceState sequence, params int[] ids) =>
        [.. ids.SelectMany(id => model.LastLogits(sequence, id))];

    /// <summary>Continues with the best token each time, from the logits of the last token so far.</summary>
    public static int[] ContinueGreedily(
        this KimiLinearModel model,
        SequenceState sequence,
        ReadOnlySpan<float> lastLogits,
        int count)
    {
        int[] ids = new int[count];
        float[] logits = lastLogits.ToArray();
        for (int i = 0; i < count; i++)
        {
            ids[i] = TensorAssert.IndexOfMax(logits);
            model.Forward(sequence, [ids[i]], logits);
        }

        return ids;
    }
}
