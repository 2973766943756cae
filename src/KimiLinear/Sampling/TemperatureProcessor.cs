using System.Numerics;
using System.Runtime.InteropServices;

namespace KimiLinear.Sampling;

/// <summary>Divides the logits by the temperature, after shifting them so that the highest is 0.</summary>
internal sealed class TemperatureProcessor(float temperature) : ILogitsProcessor
{
    // The shift leaves the softmax as it is and keeps a very small temperature from overflowing the highest scores into a tie.
    public void Process(in LogitsContext context, Span<float> logits)
    {
        float max = LogitsArithmetic.Max(logits);
        if (float.IsInfinity(max))
        {
            return;
        }

        Span<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        Vector<float> shift = new(max), divisor = new(temperature);
        foreach (ref Vector<float> vector in vectors)
        {
            vector = (vector - shift) / divisor;
        }

        foreach (ref float logit in logits[(vectors.Length * Vector<float>.Count)..])
        {
            logit = (logit - max) / temperature;
        }
    }
}
