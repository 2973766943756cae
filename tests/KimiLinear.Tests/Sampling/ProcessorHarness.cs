using KimiLinear.Sampling;

namespace KimiLinear.Tests.Sampling;

/// <summary>Runs one processor over a few logits and shows what is left.</summary>
internal static class ProcessorHarness
{
    public const float Masked = float.NegativeInfinity;

    public static float[] Run(ILogitsProcessor processor, float[] logits, int[]? prompt = null, int[]? generated = null)
    {
        float[] processed = [.. logits];
        processor.Process(new LogitsContext(prompt ?? [], generated ?? []), processed);
        return processed;
    }

    /// <summary>Returns the indices that are not masked.</summary>
    public static int[] Kept(ILogitsProcessor processor, float[] logits)
    {
        float[] processed = Run(processor, logits);
        return [.. Enumerable.Range(0, logits.Length).Where(i => processed[i] != Masked)];
    }
}
