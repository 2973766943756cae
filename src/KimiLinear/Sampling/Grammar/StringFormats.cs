using System.Collections.Concurrent;

namespace KimiLinear.Sampling;

/// <summary>The values of <c>format</c> that are enforced, as automata over the whole text.</summary>
internal static class StringFormats
{
    private static readonly ConcurrentDictionary<string, CodePointAutomaton> Automata = new();

    private const string Hour = "(?:[01][0-9]|2[0-3])";
    private const string MinuteOrSecond = "[0-5][0-9]";
    private const string LocalTime = $"{Hour}:{MinuteOrSecond}:{MinuteOrSecond}(?:\\.[0-9]{{1,7}})?";

    // No place on earth is further from Greenwich, and DateTimeOffset reads no more.
    private const string Offset = $"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):{MinuteOrSecond}|14:00))";

    // Years from 1, as .NET has them; the 29th of February in leap years only.
    private const string Day = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
        + "|02-(?:0[1-9]|1[0-9]|2[0-8]))";

    private const string Year = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
    private const string LeapYear = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)";
    private const string Date = $"(?:{Year}-{Day}|{LeapYear}-02-29)";

    // A local part of at most 64 characters, and a domain of at most 255: four labels of 63.
    private const string Atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    private const string Label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    private const string EmailLength = "^[^@]{1,64}@";

    // RFC 3986 without literal IP addresses in brackets.
    private const string Port = "(?:[0-9]{1,4}|[1-5][0-9]{4}|6(?:[0-4][0-9]{3}|5(?:[0-4][0-9]{2}|5(?:[0-2][0-9]|3[0-5]))))";
    private const string Escaped = "%[0-9A-Fa-f]{2}";
    private const string PathCharacter = $"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{Escaped})";
    private const string Authority = $"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|{Escaped})*@)?"
        + $"(?:[A-Za-z0-9._~!$&'()*+,;=-]|{Escaped})+(?::{Port})?";

    private const string Path = $"(?://{Authority}(?:/{PathCharacter}*)*|/?{PathCharacter}+(?:/{PathCharacter}*)*)";
    private const string Uri = $"(?:[A-Za-z][A-Za-z0-9+.-]{{1,20}}:{Path}|file://(?:/{PathCharacter}*)+)"
        + $"(?:\\?(?:{PathCharacter}|[/?])*)?(?:#(?:{PathCharacter}|[/?])*)?";

    private static readonly string Email = Whole($"{Atom}(?:\\.{Atom})*@{Label}(?:\\.{Label}){{1,3}}");

    /// <summary>Returns the automaton of a format, or <see langword="null"/> if the format is not enforced.</summary>
    /// <param name="format">The format's name.</param>
    /// <param name="isLocalTime">Whether a time is written without an offset.</param>
    public static CodePointAutomaton? Find(string format, bool isLocalTime) => PatternOf(format, isLocalTime) is { } pattern
        ? Automata.GetOrAdd(pattern, static key => Compile(key))
        : null;

    /// <summary>Tells whether a text that the automaton of a format does not take certainly has not the format.</summary>
    public static bool IsCertain(string format, string text) =>
        format == "uuid" || (format == "date" && !text.StartsWith("0000-", StringComparison.Ordinal));

    private static string? PatternOf(string format, bool isLocalTime) => format switch
    {
        "date" => Whole(Date),
        "time" => Whole(isLocalTime ? LocalTime : LocalTime + Offset),
        "date-time" => Whole($"{Date}T{LocalTime}{Offset}"),
        "uuid" => Whole("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"),
        "email" => Email,
        "uri" => Whole(Uri),
        _ => null,
    };

    private static CodePointAutomaton Compile(string pattern)
    {
        CodePointAutomaton automaton = PatternCompiler.TryCompile(pattern, int.MaxValue)!;
        return pattern == Email
            ? automaton.Intersect(PatternCompiler.TryCompile(EmailLength, int.MaxValue)!, int.MaxValue)!
            : automaton;
    }

    private static string Whole(string pattern) => $"^(?:{pattern})$";
}
