namespace KimiLinear.Scheduling;

/// <summary>Decides which tokens of which requests the next step computes.</summary>
/// <remarks>
/// Every request past its prompt reads the token it drew last. Pieces of prompts join as far as reading has earned the time:
/// while others write, it earns a share of theirs; while nobody does, a step is filled up. Of several prompts, that of the caller
/// who has used the least time comes first.
/// </remarks>
/// <param name="options">How the model is shared.</param>
/// <param name="cost">What parts of steps take.</param>
/// <param name="shares">What each caller has used.</param>
/// <param name="maxContextTokens">The most tokens of a request.</param>
internal sealed class StepPlanner(EngineOptions options, StepCost cost, CallerShares shares, int maxContextTokens)
{
    private readonly Comparison<EngineRequest> _leastServedFirst = (one, other) =>
    {
        int order = shares.Used(one.Caller).CompareTo(shares.Used(other.Caller));
        return order != 0 ? order : one.Ticket.CompareTo(other.Ticket);
    };

    // A caller's own requests take turns too.
    private readonly Comparison<EngineRequest> _nextTurnFirst = (one, other) =>
    {
        int order = shares.Used(one.Caller).CompareTo(shares.Used(other.Caller));
        return order != 0 ? order : (one.LastTurn, one.Ticket).CompareTo((other.LastTurn, other.Ticket));
    };

    private readonly List<EngineRequest> _takePart = [];
    private readonly List<EngineRequest> _writers = [];
    private readonly List<EngineRequest> _prompts = [];
    private double _earnedMilliseconds;
    private int _guessedTokens;
    private long _turn;

    /// <summary>Fills the plan; it stays empty when there is nothing to compute.</summary>
    /// <param name="running">The requests that have a place.</param>
    /// <param name="mayGuess">Whether there is memory for guesses.</param>
    /// <param name="plan">Receives the plan.</param>
    public void Plan(List<EngineRequest> running, bool mayGuess, List<PlannedEntry> plan)
    {
        plan.Clear();
        _writers.Clear();
        _prompts.Clear();
        _guessedTokens = 0;
        _takePart.Clear();
        foreach (EngineRequest request in running)
        {
            if (!request.IsPaused)
            {
                _takePart.Add(request);
            }
        }

        // Others got the places of those that were paused and now go on: they take turns.
        if (_takePart.Count > options.MaxSequences)
        {
            _takePart.Sort(_nextTurnFirst);
            _takePart.RemoveRange(options.MaxSequences, _takePart.Count - options.MaxSequences);
            _turn++;
            foreach (EngineRequest request in _takePart)
            {
                request.LastTurn = _turn;
            }
        }

        foreach (EngineRequest request in _takePart)
        {
            (request.IsDecoding ? _writers : _prompts).Add(request);
        }

        foreach (EngineRequest request in _writers)
        {
            ReadOnlyMemory<int> tokens = request.NextTokens(mayGuess && request.MayGuess ? GuessLength(request) : 0);
            _guessedTokens += tokens.Length - 1;
            double milliseconds = (cost.WriteMilliseconds / _writers.Count)
                + ((tokens.Length - 1) * (cost.ExtraTokenMilliseconds ?? 0));
            plan.Add(new PlannedEntry(request, tokens, DrawsToken: true, IsPiece: false, IsPrompt: false, Products: 0, milliseconds));
        }

        AddPieces(plan);
    }

    /// <summary>Accounts for a step.</summary>
    /// <param name="plan">What was computed: what was planned last, without those that had to give way.</param>
    /// <param name="milliseconds">How long it took.</param>
    public void Complete(List<PlannedEntry> plan, double milliseconds)
    {
        double estimated = 0;
        double pieceProducts = 0;
        int writtenTokens = 0;
        foreach (PlannedEntry entry in plan)
        {
            estimated += entry.Milliseconds;
            pieceProducts += entry.Products;
            writtenTokens += entry.IsPiece ? 0 : entry.TokenIds.Length;
        }

        cost.Learn(pieceProducts, writtenTokens, milliseconds);

        foreach (PlannedEntry entry in plan)
        {
            shares.Charge(entry.Request.Caller, milliseconds * entry.Milliseconds / estimated);
        }
    }

    // Of what a step takes, a request saves its share. All guesses of a step together are bounded as pieces of prompts are.
    private int GuessLength(EngineRequest request)
    {
        int replyLeft = (request.Options.MaxTokens ?? int.MaxValue) - request.Reply.TokenCount - 1;
        int contextLeft = maxContextTokens - request.Tokens.Length;
        int stepLeft = options.MaxStepTokens - _guessedTokens;
        int most = Math.Min(Math.Min(options.MaxDraftTokens, stepLeft), Math.Min(replyLeft, contextLeft));
        return most > 0 && cost.ExtraTokenMilliseconds is { } extra && cost.TokenMilliseconds is { } saved
            ? request.Guessing.Next(extra, saved, most)
            : 0;
    }

    private void AddPieces(List<PlannedEntry> plan)
    {
        if (_prompts.Count == 0 || _writers.Count == 0)
        {
            _earnedMilliseconds = 0;
        }
        else
        {
            _earnedMilliseconds += cost.WriteMilliseconds * options.PrefillShare / (1 - options.PrefillShare);
        }

        _prompts.Sort(_leastServedFirst);
        int tokens = 0;
        int replyCount = plan.Count;
        foreach (EngineRequest request in _prompts)
        {
            PlannedEntry piece = PieceOf(request);
            bool fits = tokens == 0 || tokens + piece.TokenIds.Length <= options.MaxStepTokens;
            if (!fits || (_writers.Count > 0 && piece.Milliseconds > _earnedMilliseconds))
            {
                break;
            }

            _earnedMilliseconds -= _writers.Count > 0 ? piece.Milliseconds : 0;
            tokens += piece.TokenIds.Length;
            // Prompts come last in a step.
            plan.Insert(piece.IsPrompt ? plan.Count : replyCount, piece);
            replyCount += piece.IsPrompt ? 0 : 1;
        }
    }

    // Cut where the prompt's own length and the options say, never where the load does: a reply must not depend on it. What a reply
    // wrote is read again as it was first, as exactly.
    private PlannedEntry PieceOf(EngineRequest request)
    {
        int start = request.Sequence!.Length;
        int end = Math.Min(request.Known.Length, ((start / options.PieceTokens) + 1) * options.PieceTokens);
        bool isPrompt = start < request.Prompt.Length;
        if (isPrompt)
        {
            end = Math.Min(end, request.Prompt.Length);
        }

        if (request.BranchAt > start && request.BranchAt < end)
        {
            end = request.BranchAt;
        }

        return new PlannedEntry(
            request,
            request.Known[start..end],
            DrawsToken: end == request.Known.Length,
            IsPiece: true,
            isPrompt,
            cost.Products(end - start, start),
            cost.PieceMilliseconds(end - start, start));
    }
}
