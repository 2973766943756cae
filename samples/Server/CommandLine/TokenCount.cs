using System.Globalization;

namespace KimiServer.CommandLine;

/// <summary>A number of tokens as vllm serve takes it: 8192, 8k for 8,000, 8K for 8,192; m and M for millions likewise.</summary>
internal static class TokenCount
{
    public static bool TryParse(string text, out int count)
    {
        int unit = text.Length == 0 ? 1 : text[^1] switch
        {
            'k' => 1000,
            'K' => 1 << 10,
            'm' => 1_000_000,
            'M' => 1 << 20,
            _ => 1,
        };
        string digits = unit == 1 ? text : text[..^1];
        bool isNumber = decimal.TryParse(
            digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number);
        decimal product = isNumber && number <= int.MaxValue ? number * unit : 0;
        bool isCount = product >= 1 && product <= int.MaxValue && product == decimal.Truncate(product);
        count = isCount ? (int)product : 0;
        return isCount;
    }
}
