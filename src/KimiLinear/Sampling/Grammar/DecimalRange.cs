using System.Globalization;
using System.Numerics;

namespace KimiLinear.Sampling;

/// <summary>Decimal numbers between bounds, multiples of a step, as an automaton over their digits.</summary>
/// <remarks>
/// Digits are bounded, there is no exponent, and a zero has no sign. While a number is written, all that matters of it is which
/// lengths are within the bounds whatever digits follow, and the remainder; only the beginnings of the bounds are kept whole.
/// </remarks>
/// <param name="Minimum">The lowest number, in units of the last digit.</param>
/// <param name="Maximum">The highest number, in units of the last digit.</param>
/// <param name="Step">What every number is a multiple of, in units of the last digit; at least 1.</param>
/// <param name="FractionDigits">The most digits behind the point; the last of them is the unit.</param>
/// <param name="SignificantDigits">The most digits before and behind the point together, at most 63; a leading zero is not
/// counted.</param>
internal sealed record DecimalRange(
    BigInteger Minimum, BigInteger Maximum, BigInteger Step, int FractionDigits, int SignificantDigits)
{
    private static readonly CodePointSet Point = CodePointSet.OfCharacters(".");
    private static readonly CodePointSet Sign = CodePointSet.OfCharacters("-");
    private static readonly CodePointSet[] Digits =
        [.. Enumerable.Range(0, 10).Select(digit => CodePointSet.OfCharacters(digit.ToString(CultureInfo.InvariantCulture)))];

    private enum Phase
    {
        Start,
        Negative,
        Zero,
        Integer,
        Point,
        Fraction,
    }

    private int IntegerRoom => Math.Min(
        SignificantDigits,
        Math.Max(1, Length(BigInteger.Max(BigInteger.Abs(Minimum), BigInteger.Abs(Maximum))) - FractionDigits));

    /// <summary>Makes the automaton; <see langword="null"/> if it has too many states.</summary>
    public CodePointAutomaton? ToAutomaton(int maxStates) => CodePointAutomaton.Explore(
        new State(Phase.Start, IsNegative: false, 0, 0, IsWhole: true, Value: 0, Inside: 0), IsEnd, Next, maxStates);

    /// <summary>Returns the number of decimal digits of a number that is not negative.</summary>
    public static int Length(BigInteger number) => number.ToString(CultureInfo.InvariantCulture).Length;

    private bool IsEnd(State state)
    {
        if (state.Phase is not (Phase.Zero or Phase.Integer or Phase.Fraction))
        {
            return false;
        }

        BigInteger value = state.Value * Scale(state);
        bool isInside = state.IsWhole ? value >= Low(state) && value <= High(state) : (state.Inside & 1) != 0;
        return isInside && (value % Step).IsZero;
    }

    private IEnumerable<(CodePointSet On, State Target)> Next(State state)
    {
        if (state.Phase == Phase.Start)
        {
            yield return (Sign, state with { Phase = Phase.Negative, IsNegative = true });
        }

        if (state.Phase is Phase.Zero or Phase.Integer && FractionRoom(state) > 0)
        {
            yield return (Point, Classify(state with { Phase = Phase.Point, Inside = state.Inside & 1 }));
        }

        for (int digit = 0; digit < Digits.Length; digit++)
        {
            if (Append(state, digit) is { } longer && (longer.IsWhole || longer.Inside != 0))
            {
                yield return (Digits[digit], longer);
            }
        }
    }

    private State? Append(State state, int digit)
    {
        State longer = state with { Value = (state.Value * 10) + digit };
        return state.Phase switch
        {
            Phase.Start or Phase.Negative when digit == 0 => Classify(longer with { Phase = Phase.Zero }),
            Phase.Start or Phase.Negative => Classify(longer with { Phase = Phase.Integer, IntegerCount = 1 }),
            Phase.Integer when state.IntegerCount < IntegerRoom =>
                Classify(longer with { IntegerCount = state.IntegerCount + 1, Inside = state.Inside >> 1 }),
            Phase.Point or Phase.Fraction when state.FractionCount < FractionRoom(state) =>
                Classify(longer with { Phase = Phase.Fraction, FractionCount = state.FractionCount + 1 }),
            _ => null,
        };
    }

    // Finds out for each number of further digits before the point whether all numbers are within the bounds, or none.
    private State Classify(State state)
    {
        if (!state.IsWhole)
        {
            return state with { Value = state.Value % Step };
        }

        ulong inside = 0;
        int furtherDigits = state.Phase == Phase.Integer ? IntegerRoom - state.IntegerCount : 0;
        for (int further = 0; further <= furtherDigits; further++)
        {
            BigInteger width = Scale(state) * BigInteger.Pow(10, further);
            BigInteger first = state.Value * width, last = first + width - 1;
            if (first >= Low(state) && last <= High(state))
            {
                inside |= 1ul << further;
            }
            else if (last >= Low(state) && first <= High(state))
            {
                return state;
            }
        }

        return state with { IsWhole = false, Inside = inside, Value = state.Value % Step };
    }

    // Of numbers below zero the size is written, which starts at 1.
    private BigInteger Low(State state) => state.IsNegative ? BigInteger.Max(-Maximum, 1) : Minimum;

    private BigInteger High(State state) => state.IsNegative ? -Minimum : Maximum;

    private int FractionRoom(State state) => Math.Min(FractionDigits, SignificantDigits - state.IntegerCount);

    private BigInteger Scale(State state) => BigInteger.Pow(10, FractionDigits - state.FractionCount);

    /// <param name="Phase">What was written last.</param>
    /// <param name="IsNegative">Whether there is a sign.</param>
    /// <param name="IntegerCount">The digits before the point; none for a zero.</param>
    /// <param name="FractionCount">The digits behind the point.</param>
    /// <param name="IsWhole">Whether the value is kept whole, since the bounds divide what it may become.</param>
    /// <param name="Value">The digits as a number, or their remainder by the step.</param>
    /// <param name="Inside">For each number of further digits before the point, whether the number is within the bounds.</param>
    private readonly record struct State(
        Phase Phase, bool IsNegative, int IntegerCount, int FractionCount, bool IsWhole, BigInteger Value, ulong Inside);
}
