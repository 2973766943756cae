using System.Globalization;
using System.Runtime.CompilerServices;

namespace KimiLinear.Tests;

/// <summary>
/// All tests of a project that takes this file run where numbers and dates are written as nowhere in the library: what it reads,
/// writes and says must not follow the application's culture.
/// </summary>
internal static class ForeignCulture
{
#pragma warning disable CA2255 // The assembly is no library: its tests are to begin in this culture.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Set()
    {
        // Made by hand: without ICU there is only the invariant culture.
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        NumberFormatInfo numbers = culture.NumberFormat;
        numbers.NegativeSign = "\u2212";
        numbers.NumberDecimalSeparator = numbers.PercentDecimalSeparator = ",";
        numbers.NumberGroupSeparator = numbers.PercentGroupSeparator = ".";
        numbers.NaNSymbol = "¤";
        numbers.PositiveInfinitySymbol = "∞";
        numbers.NegativeInfinitySymbol = "\u2212∞";
        culture.DateTimeFormat.DateSeparator = ".";
        culture.DateTimeFormat.TimeSeparator = ".";
        culture.DateTimeFormat.ShortDatePattern = "d.M.yyyy";
        CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = culture;
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.DefaultThreadCurrentUICulture = culture;
    }
}
