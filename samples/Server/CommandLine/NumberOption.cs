using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace KimiServer.CommandLine;

/// <summary>Makes options for numbers that answer what is none in one sentence.</summary>
public static class NumberOption
{
    /// <summary>Makes an option for a whole number.</summary>
    /// <param name="name">Its name, with the dashes.</param>
    /// <param name="description">Its line in the help.</param>
    /// <param name="least">The least value.</param>
    /// <param name="most">The greatest value; the type's own if none is given.</param>
    public static Option<T?> Whole<T>(string name, string description, T least, T? most = null)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T>
    {
        T greatest = most ?? T.MaxValue;
        string rule = string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {greatest}");
        return Create<T>(name, description, rule, value => value >= least && value <= greatest);
    }

    /// <summary>Makes an option for a number that a rule may refuse.</summary>
    /// <param name="name">Its name, with the dashes.</param>
    /// <param name="description">Its line in the help.</param>
    /// <param name="rule">What the value must be, to complete "must be …".</param>
    /// <param name="holds">Whether a value fits the rule.</param>
    public static Option<T?> Create<T>(string name, string description, string rule, Func<T, bool> holds)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                // Commas would be read as marks between thousands, and 0,5 as 5.
                string text = result.Tokens[0].Value;
                if (!text.Contains(',') && T.TryParse(text, CultureInfo.InvariantCulture, out T value) && holds(value))
                {
                    return value;
                }

                result.AddError($"{name} must be {rule}, but is '{text}'.");
                return null;
            },
        };
}
