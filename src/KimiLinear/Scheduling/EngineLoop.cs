using System.Diagnostics;
using KimiLinear.Backends;
using KimiLinear.Caching;
using KimiLinear.Model;

namespace KimiLinear.Scheduling;

/// <summary>The thread that computes the steps of all requests; it alone touches their sequences.</summary>
internal sealed partial class EngineLoop
{
    private readonly KimiLinearModel _model;
    private readonly EngineOptions _options;
    private readonly int _maxContextTokens;
    private readonly RequestQueue _queue;
    private readonly EngineMetrics _metrics;
    private readonly CallerShares _shares = new();
    private readonly StepPlanner _planner;
    private readonly PrefixCache? _prefixes;
    private readonly List<EngineRequest> _waiting = [];
    private readonly List<EngineRequest> _running = [];
    private readonly List<PlannedEntry> _plan = [];
    private BatchEntry[] _entries = new BatchEntry[4];
    private float[] _logits = [];
    private readonly PlaceTime _placeTime = new(TimeProvider.System);
    private long _nextTicket;

    // Whether somebody waits for memory and for nothing else.
    private bool _lacksMemory;

    public EngineLoop(
        KimiLinearModel model, EngineOptions options, RequestQueue queue, EngineMetrics metrics, int maxContextTokens)
    {
        _model = model;
        _options = options;
        _queue = queue;
        _metrics = metrics;
        _maxContextTokens = maxContextTokens;
        long maxBytes = options.MemoryBytes ?? MemoryBudget.Default(model);
        MemoryBudget.RequireRoom(model, maxBytes);
        PrefixFolder? folder = options is { ReusePrefixes: true, PrefixFolder: { } path }
            ? new PrefixFolder(model, path, options.PrefixFolderBytes)
            : null;
        _prefixes = options.ReusePrefixes ? new PrefixCache(model, folder) : null;
        Memory = new MemoryBudget(model, _prefixes, maxBytes);
        _drawAt = DrawAt;
        _planner = new StepPlanner(options, new StepCost(model.Config), _shares, maxContextTokens);
    }

    public MemoryBudget Memory { get; }

    public EngineCounters Counters { get; } = new();

    public int RunningCount { get; private set; }

    public int WaitingCount { get; private set; }

    public int PausedCount { get; private set; }

    public int PrefixCount { get; private set; }

    public int StoredPrefixCount { get; private set; }

    public long StoredPrefixBytes { get; private set; }

    /// <summary>Serves requests until the queue is closed; what is left then ends with an error.</summary>
    public void Run()
    {
        Exception error = new ObjectDisposedException(nameof(GenerationEngine), "The engine was disposed while the request ran.");
        try
        {
            while (_queue.TakeInto(_waiting, _shares))
            {
                DropAbandoned(_waiting);
                DropAbandoned(_running);
                PausedCount = CountPaused();
                _shares.BeginRound(_running, _waiting);
                Admit();
                Publish();
                _planner.Plan(_running, mayGuess: HasRoomForGuesses(), _plan);
                if (_plan.Count > 0)
                {
                    Step();
                }
                else if (!MakeRoomForWaiting())
                {
                    _queue.Wait();
                }
            }
        }
#pragma warning disable CA1031 // Whatever went wrong, nobody shall wait for a thread that is gone.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            error = exception;
        }

        _queue.Close();
        _queue.TakeInto(_waiting, _shares);
        EndAll(_waiting, error);
        EndAll(_running, error);
        _prefixes?.Dispose();
        PausedCount = 0;
        Publish();
    }

    private void Publish()
    {
        RunningCount = _running.Count;
        WaitingCount = _waiting.Count;
        PrefixCount = _prefixes?.Count ?? 0;
        StoredPrefixCount = _prefixes?.StoredCount ?? 0;
        StoredPrefixBytes = _prefixes?.StoredBytes ?? 0;
    }

    private int CountPaused()
    {
        int count = 0;
        foreach (EngineRequest request in _running)
        {
            count += request.IsPaused ? 1 : 0;
        }

        return count;
    }

    private void DropAbandoned(List<EngineRequest> requests)
    {
        for (int i = requests.Count - 1; i >= 0; i--)
        {
            if (requests[i].IsAbandoned)
            {
                Counters.Cancelled++;
                End(requests[i], requests);
            }
        }
    }

    private void EndAll(List<EngineRequest> requests, Exception error)
    {
        while (requests.Count > 0)
        {
            End(requests[^1], requests, error);
        }
    }

    private void End(EngineRequest request, List<EngineRequest> from, Exception? error = null)
    {
        from.Remove(request);
        _shares.Leave(request.Caller);
        request.Complete(error);
        _queue.RetryAfter = _placeTime.Next(request.SubmittedAt);
        _queue.Leave();
    }

    // Those of the caller who has used the least time come first, and of one caller the oldest.
    private void Admit()
    {
        _lacksMemory = false;
        // Who is paused has given its place up.
        while (_running.Count - PausedCount < _options.MaxSequences && NextToAdmit() is { } next)
        {
            if (_running.Count > 0 && _running.Sum(Memory.BytesFor) + Memory.BytesFor(next) > Memory.MaxBytes)
            {
                _lacksMemory = true;
                return;
            }

            int branchAt = 0;
            SequenceState sequence;
            try
            {
                Memory.MakeRoom(_model.SlotBytes + _model.PageBytes);
                sequence = _prefixes?.Resume(next.Known.Span, Memory.MakeRoom, out branchAt) ?? _model.CreateSequence();
            }
#pragma warning disable CA1031 // A device without room, or a model that is gone, ends this request and no other.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Counters.Failed++;
                End(next, _waiting, exception);
                continue;
            }

            _waiting.Remove(next);
            next.Admit(sequence, _nextTicket++);
            next.BranchAt = branchAt;
            Counters.CachedPromptTokens += sequence.Length;
            _running.Add(next);
        }
    }

    // Whoever lost its memory while its reader was behind has nothing to do until it is read again.
    private EngineRequest? NextToAdmit() =>
        _waiting.Where(request => request.MayGoOn).MinBy(request => _shares.Used(request.Caller));

    private void Step()
    {
        if (!MakeRoomForPlan())
        {
            return;
        }

        long start = Stopwatch.GetTimestamp();
        BeginDrafts();
        int rows = 0;
        EnsureEntries(_plan.Count);
        for (int i = 0; i < _plan.Count; i++)
        {
            PlannedEntry entry = _plan[i];
            rows += entry.DrawsToken ? 1 + entry.DraftCount : 0;
            _entries[i] = new BatchEntry(
                entry.Request.Sequence!,
                entry.TokenIds,
                entry.DraftCount > 0 ? LogitsRequest.EveryToken : entry.DrawsToken ? LogitsRequest.LastToken : LogitsRequest.None,
                entry.IsPrompt);
        }

        try
        {
            Span<float> logits = EnsureLogits(checked(rows * _model.Config.VocabularySize));
            _model.Forward(_entries.AsSpan(0, _plan.Count), logits);
        }
#pragma warning disable CA1031 // Whatever the step threw belongs to the requests in it.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            foreach (PlannedEntry entry in _plan)
            {
                Counters.Failed++;
                End(entry.Request, _running, exception);
            }

            return;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        _planner.Complete(_plan, elapsed.TotalMilliseconds);
        Counters.Steps++;
        _metrics.CountStep(_plan.Count);
        foreach (PlannedEntry entry in _plan)
        {
            Counters.PromptTokens += entry.IsPiece ? entry.TokenIds.Length : 0;
            KeepPrefix(entry.Request);
        }

        DrawTokens(elapsed);
    }

    // Takes the copies from which requests go on if their guesses are wrong.
    private void BeginDrafts()
    {
        for (int i = 0; i < _plan.Count; i++)
        {
            PlannedEntry entry = _plan[i];
            if (entry.DraftCount == 0)
            {
                continue;
            }

            try
            {
                entry.Request.BeginDraft(_model.Fork(entry.Request.Sequence!));
            }
#pragma warning disable CA1031 // Nobody asked for the copy: the request goes on without a guess.
            catch (Exception)
#pragma warning restore CA1031
            {
                DropDraft(i);
            }
        }
    }

    // A copy at the end of the prompt, where it parts from those of others, and here and there if it is long.
    private void KeepPrefix(EngineRequest request)
    {
        int length = request.Sequence!.Length;
        if (_prefixes is null || length > request.Known.Length)
        {
            return;
        }

        ReadOnlySpan<int> read = request.Known.Span[..length];
        if (length == request.BranchAt || length == request.Known.Length)
        {
            Keep(read, request.Sequence);
        }
        else if (request.Copies.IsDue(length))
        {
            Keep(read, request.Sequence);
            foreach (int gone in request.Copies.Add(length))
            {
                _prefixes.Forget(read[..gone]);
            }
        }
    }

    // The next turn of a conversation begins with this one's prompt and reply. The last token was drawn and not read.
    private void KeepReply(EngineRequest request)
    {
        if (_prefixes is not null && request.Sequence!.Length > request.Prompt.Length)
        {
            Keep(request.Tokens[..request.Sequence.Length], request.Sequence);
        }
    }

    private void Keep(ReadOnlySpan<int> tokens, SequenceState sequence)
    {
        if (!Memory.MakeRoom(_model.SlotBytes + _model.PageBytes))
        {
            return;
        }

        try
        {
            _prefixes!.Keep(tokens, sequence);
        }
#pragma warning disable CA1031 // Nobody asked for the copy: requests go on without, or learn in the next step what is broken.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    private void EnsureEntries(int count)
    {
        if (_entries.Length < count)
        {
            _entries = new BatchEntry[Math.Max(count, _entries.Length * 2)];
        }
    }

    private Span<float> EnsureLogits(int length)
    {
        if (_logits.Length < length)
        {
            _logits = new float[length];
        }

        return _logits.AsSpan(0, length);
    }
}
