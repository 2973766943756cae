using System.Globalization;

namespace KimiLinear.Calibration;

/// <summary>Divides a limit among files.</summary>
internal static class Shares
{
    /// <summary>A share for each file in proportion to its weight, rounded down; what is left over goes to the first ones.</summary>
    /// <returns>The shares, or <see langword="null"/> where there is no limit.</returns>
    /// <exception cref="ArgumentException">A file would get nothing.</exception>
    public static long[]? Divide(long? limit, IReadOnlyList<CalibrationFile> files)
    {
        if (limit is not long total)
        {
            return null;
        }

        double sum = files.Sum(file => file.Weight);
        long[] shares = [.. files.Select(file => Math.Min(total, (long)(total * (file.Weight / sum))))];
        long rest = total - shares.Sum();
        for (int i = 0; rest > 0; i = (i + 1) % shares.Length)
        {
            shares[i]++;
            rest--;
        }

        int empty = Array.FindIndex(shares, share => share <= 0);
        return empty < 0
            ? shares
            : throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"A limit of {total} leaves nothing for '{files[empty].Path}' with its weight {files[empty].Weight}. Raise the limit."));
    }
}
