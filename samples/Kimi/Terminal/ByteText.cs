namespace Kimi.Terminal;

/// <summary>Numbers of bytes as people read them.</summary>
internal static class ByteText
{
    private static readonly string[] Units = ["bytes", "kB", "MB", "GB", "TB"];

    /// <summary>Three or so digits and a decimal unit, such as "1.25 GB".</summary>
    public static string Of(double count)
    {
        int unit = 0;
        while (count >= 1000 && unit < Units.Length - 1)
        {
            count /= 1000;
            unit++;
        }

        return $"{count:0.##} {Units[unit]}";
    }
}
