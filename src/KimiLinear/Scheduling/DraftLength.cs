namespace KimiLinear.Scheduling;

/// <summary>How many tokens of a request are worth guessing, from how guesses fared.</summary>
internal sealed class DraftLength
{
    // How much of the record the newest guess replaces.
    private const double Weight = 0.2;

    // Before anything was guessed: enough to try.
    private const double FirstGain = 0.6;

    // A request whose guesses do not pay tries a short one again after so many tokens; texts change.
    private const int TokensUntilRetry = 64;
    private const int ShortLength = 2;

    private double _gain = FirstGain;
    private int _length = 2 * ShortLength;
    private int _skipped;

    /// <summary>Says how many tokens to guess.</summary>
    /// <param name="tokenMilliseconds">What one token more in a step takes.</param>
    /// <param name="savedMilliseconds">What is saved when a token needs no step of its own.</param>
    /// <param name="most">The most that are allowed.</param>
    public int Next(double tokenMilliseconds, double savedMilliseconds, int most)
    {
        if (_gain * savedMilliseconds > tokenMilliseconds)
        {
            return Math.Min(_length, most);
        }

        if (++_skipped < TokensUntilRetry)
        {
            return 0;
        }

        _skipped = 0;
        return Math.Min(ShortLength, most);
    }

    /// <summary>Learns from a guess.</summary>
    /// <param name="guessed">How many tokens were guessed, at least one.</param>
    /// <param name="right">How many of them were right, from the first on.</param>
    public void Learn(int guessed, int right)
    {
        // After a wrong one, the right ones and the token before them are read once more.
        int read = guessed + (right < guessed ? right + 1 : 0);
        _gain += Weight * (((double)right / read) - _gain);
        _length = right == guessed ? 2 * guessed : Math.Max(ShortLength, right + 1);
    }
}
