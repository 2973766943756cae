namespace KimiLinear.Scheduling;

/// <content>What happens to the scores of a step.</content>
internal sealed partial class EngineLoop
{
    // Fewer scores are looked through by one thread sooner than others are woken.
    private const int SharedLogits = 64 * 1024;

    private readonly List<Drawing> _drawings = [];
    private readonly Action<int> _drawAt;
    private TimeSpan _stepDuration;

    // Requests share nothing, so each draws on any thread; what they have in common is brought up to date afterwards.
    private void DrawTokens(TimeSpan stepDuration)
    {
        _drawings.Clear();
        int start = 0;
        foreach (PlannedEntry entry in _plan)
        {
            if (entry.DrawsToken)
            {
                _drawings.Add(new Drawing(entry.Request, start, entry.Request.Reply.TokenCount));
                start += (1 + entry.DraftCount) * _model.Config.VocabularySize;
            }
        }

        _stepDuration = stepDuration;
        if (_drawings.Count > 1 && start >= SharedLogits && _model.ThreadCount > 1)
        {
            SharedLoop.Run(_drawings.Count, _model.ThreadCount, _drawAt);
        }
        else
        {
            for (int i = 0; i < _drawings.Count; i++)
            {
                DrawAt(i);
            }
        }

        foreach (Drawing drawing in _drawings)
        {
            Finish(drawing);
        }
    }

    // One token, and one more for each that was guessed rightly.
    private void DrawAt(int index)
    {
        Drawing drawing = _drawings[index];
        int vocabularySize = _model.Config.VocabularySize;
        try
        {
            bool wasGuessed;
            do
            {
                Span<float> row = _logits.AsSpan(drawing.Start + (drawing.RightCount * vocabularySize), vocabularySize);
                TimeSpan share = drawing.RightCount == 0 ? _stepDuration : TimeSpan.Zero;
                drawing.IsLast = drawing.Request.TakeLogits(row, _maxContextTokens, share, out wasGuessed);
                drawing.RightCount += wasGuessed ? 1 : 0;
            }
            while (wasGuessed && !drawing.IsLast);
        }
#pragma warning disable CA1031 // What a request's own processor or its damaged scores throw is its own matter.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            drawing.Error = exception;
        }
    }

    private void Finish(Drawing drawing)
    {
        EngineRequest request = drawing.Request;
        int drawn = request.Reply.TokenCount - drawing.TokensBefore;
        Counters.GeneratedTokens += drawn;
        Exception? error = drawing.Error ?? EndStep(drawing, drawn);
        if (error is not null)
        {
            Counters.Failed++;
            End(request, _running, error);
        }
        else if (drawing.IsLast)
        {
            Counters.Completed++;
            End(request, _running);
        }
    }

    private Exception? EndStep(Drawing drawing, int drawn)
    {
        EngineRequest request = drawing.Request;
        try
        {
            _metrics.CountTokens(request, drawn);
            Counters.GuessedTokens += request.DraftCount;
            Counters.RightTokens += drawing.RightCount;
            request.EndDraft(drawing.RightCount);
            if (drawing.IsLast)
            {
                KeepReply(request);
            }

            return null;
        }
#pragma warning disable CA1031 // A device that cannot give memory back ends this request; the others learn in the next step.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return exception;
        }
    }

    /// <summary>What one request draws in a step.</summary>
    /// <param name="request">The request.</param>
    /// <param name="start">Where its scores begin.</param>
    /// <param name="tokensBefore">Tokens of its reply before the step.</param>
    private sealed class Drawing(EngineRequest request, int start, int tokensBefore)
    {
        public EngineRequest Request { get; } = request;

        public int Start { get; } = start;

        public int TokensBefore { get; } = tokensBefore;

        /// <summary>How many tokens were guessed rightly.</summary>
        public int RightCount { get; set; }

        public bool IsLast { get; set; }

        public Exception? Error { get; set; }
    }
}
