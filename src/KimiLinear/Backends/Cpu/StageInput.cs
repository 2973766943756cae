namespace KimiLinear.Backends;

/// <summary>The left side of a stage's products, each row in the form that its token takes.</summary>
/// <remarks>
/// The form follows from what a token is and not from how many are beside it, so that nothing depends on the company. Of tokens,
/// those that replies write come first.
/// </remarks>
internal readonly unsafe struct StageInput
{
    private readonly Operand _replies;
    private readonly Operand _prompts;
    private readonly int _replyTokens;
    private readonly int* _tokens;

    /// <param name="replies">All rows, in the form of those that replies write.</param>
    /// <param name="prompts">All rows, in the form of those of prompts.</param>
    /// <param name="replyTokens">How many tokens replies write; the first ones.</param>
    /// <param name="tokens">The token of each row; <see langword="null"/> where row t is token t.</param>
    public StageInput(Operand replies, Operand prompts, int replyTokens, int* tokens)
    {
        _replies = replies;
        _prompts = prompts;
        _replyTokens = replyTokens;
        _tokens = tokens;
    }

    public MatMulInput Floats => _replies.Floats;

    public int Count => _replies.Count;

    public StageRows All => From(0, Count);

    /// <summary>Fills the quantised forms of one row from its floats.</summary>
    public void Quantize(int row)
    {
        if ((_tokens == null ? row : _tokens[row]) < _replyTokens)
        {
            _replies.Quantize(row);
        }
        else
        {
            _prompts.Quantize(row);
        }
    }

    /// <summary>The rows of these tokens, which ascend; only where row t is token t.</summary>
    public StageRows Select(int* tokens, int count)
    {
        int replies = CountReplies(tokens, count);
        return new StageRows(_replies.Select(tokens, replies), _prompts.Select(tokens + replies, count - replies));
    }

    /// <summary>Consecutive rows from one on, whose tokens ascend.</summary>
    public StageRows From(int row, int count)
    {
        int replies = _tokens == null ? Math.Clamp(_replyTokens - row, 0, count) : CountReplies(_tokens + row, count);
        return new StageRows(_replies.From(row, replies), _prompts.From(row + replies, count - replies));
    }

    private int CountReplies(int* tokens, int count)
    {
        int replies = count;
        while (replies > 0 && tokens[replies - 1] >= _replyTokens)
        {
            replies--;
        }

        return replies;
    }
}
