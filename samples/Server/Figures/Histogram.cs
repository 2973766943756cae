using System.Globalization;
using System.Text;

namespace KimiServer.Figures;

/// <summary>How often values lay at or below each of some bounds, as Prometheus counts them.</summary>
/// <param name="name">The figure's name, without the prefix that all have.</param>
/// <param name="help">What it counts.</param>
/// <param name="bounds">The bounds, ascending; what is above the last is counted too.</param>
internal sealed class Histogram(string name, string help, double[] bounds)
{
    private readonly Lock _gate = new();
    private readonly long[] _counts = new long[bounds.Length + 1];
    private double _sum;

    public string Name => name;

    public string Help => help;

    public void Add(double value)
    {
        int bucket = Array.BinarySearch(bounds, value);
        lock (_gate)
        {
            // A value equal to a bound belongs to it; between two, to the one above.
            _counts[bucket < 0 ? ~bucket : bucket]++;
            _sum += value;
        }
    }

    /// <summary>Writes the lines of the figure: one for each bound, then the sum and the count.</summary>
    /// <param name="text">Receives them.</param>
    /// <param name="fullName">The name with its prefix.</param>
    /// <param name="label">The labels of all lines.</param>
    public void Write(StringBuilder text, string fullName, string label)
    {
        lock (_gate)
        {
            long count = 0;
            for (int i = 0; i < _counts.Length; i++)
            {
                count += _counts[i];
                string bound = i < bounds.Length ? bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
                text.Append(CultureInfo.InvariantCulture, $"{fullName}_bucket{{{label},le=\"{bound}\"}} {count}\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"{fullName}_sum{{{label}}} {_sum}\n");
            text.Append(CultureInfo.InvariantCulture, $"{fullName}_count{{{label}}} {count}\n");
        }
    }
}
