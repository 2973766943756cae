using System.Diagnostics.CodeAnalysis;
using KimiLinear.Tokenization;

namespace KimiLinear.Sampling;

/// <summary>Holds one reply to a grammar: forbids every token that it does not allow next.</summary>
/// <remarks>
/// Belongs to one request. Runs behind everything else that may change which tokens are allowed, so that nothing can lift what it
/// forbids. Once the masks of the states it meets are known, it allocates nothing per token.
/// </remarks>
internal sealed class ReplyConstraint : ILogitsProcessor
{
    private readonly ReplyGrammar _grammar;
    private readonly KimiTokenizer _tokenizer;
    private readonly TokenTrie _trie;
    private readonly int[] _stopTokenIds;
    private readonly ToolCallTokens? _markers;
    private readonly CallIdWriter? _callId;
    private readonly KeyLedger _keys = new();
    private readonly AllowedTokens _allowed;
    private Stage _stage;
    private GrammarMachine? _machine;
    private GrammarNode? _state;
    private bool _watchesKeys;
    private int _callCount;
    private int _seenCount;

    /// <summary>Initializes a new instance of the <see cref="ReplyConstraint"/> class.</summary>
    /// <param name="grammar">What the reply may look like.</param>
    /// <param name="tokenizer">The tokenizer of the model.</param>
    /// <param name="stopTokenIds">The tokens that end the reply, allowed only where it may end.</param>
    /// <exception cref="ArgumentException">
    /// No token ends the reply, or the tokenizer lacks tokens that the grammar needs.
    /// </exception>
    public ReplyConstraint(ReplyGrammar grammar, KimiTokenizer tokenizer, IReadOnlyList<int> stopTokenIds)
    {
        grammar.RequireTokens(tokenizer, stopTokenIds);
        _grammar = grammar;
        _tokenizer = tokenizer;
        _trie = TokenTrie.Of(tokenizer);
        _stopTokenIds = [.. stopTokenIds];
        _allowed = new AllowedTokens(_stopTokenIds);
        if (grammar.Calls is { } calls)
        {
            _markers = new ToolCallTokens(calls, tokenizer);
            _callId = new CallIdWriter(calls, _trie);
        }

        if (grammar.AllowsText && grammar.Calls is not null)
        {
            Begin(Stage.Text, grammar.Calls.TextWithoutMarkers, watchesKeys: false);
        }
        else if (grammar.Value is { } value)
        {
            Begin(Stage.Start, value.Bytes, value.HasOtherKeys);
        }
    }

    private enum Stage
    {
        /// <summary>Nothing is written; JSON or calls may come.</summary>
        Start,

        /// <summary>Text; calls may follow.</summary>
        Text,

        /// <summary>JSON.</summary>
        Value,

        /// <summary>Behind the beginning of the section of calls.</summary>
        Section,

        /// <summary>The id of a call.</summary>
        CallId,

        /// <summary>The arguments of a call.</summary>
        Arguments,

        /// <summary>Behind a call.</summary>
        AfterCall,

        /// <summary>Behind everything.</summary>
        End,
    }

    public void Process(in LogitsContext context, Span<float> logits)
    {
        foreach (int tokenId in context.GeneratedTokenIds[_seenCount..])
        {
            Accept(tokenId);
        }

        _seenCount = context.GeneratedTokenIds.Length;
        Allow(logits);
    }

    private void Allow(Span<float> logits)
    {
        _allowed.Clear();
        if (_stage is Stage.End or Stage.Text || (_stage == Stage.Value && _state!.IsNullable))
        {
            _allowed.AddStops();
        }

        AddMarkers();
        switch (_stage)
        {
            case Stage.Text:
                _allowed.KeepText(_machine!.MaskOf(_state!), _tokenizer, _markers!, logits);
                break;
            case Stage.Start or Stage.Value or Stage.Arguments when _state is not null:
                _allowed.Keep(_machine!.MaskOf(_state), logits);
                if (_watchesKeys)
                {
                    _keys.Exclude(_trie, logits);
                }

                break;
            case Stage.CallId:
                _allowed.Keep(_callId!.NextTokens(), logits);
                break;
            default:
                _allowed.Keep([], logits);
                break;
        }
    }

    private void AddMarkers()
    {
        if (_markers is null)
        {
            return;
        }

        switch (_stage)
        {
            case Stage.Start or Stage.Text:
                _allowed.Add(_markers.SectionBegin);
                break;
            case Stage.Section:
                _allowed.Add(_markers.CallBegin);
                break;
            case Stage.CallId when _callId!.IsComplete:
                _allowed.Add(_markers.ArgumentBegin);
                break;
            case Stage.Arguments when _state!.IsNullable:
                _allowed.Add(_markers.CallEnd);
                break;
            case Stage.AfterCall:
                _allowed.Add(_markers.SectionEnd);
                if (_grammar.Calls!.AllowsSeveral)
                {
                    _allowed.Add(_markers.CallBegin);
                }

                break;
        }
    }

    private void Accept(int tokenId)
    {
        if (_markers is not null && AcceptMarker(tokenId))
        {
            return;
        }

        if (_stage == Stage.Text && tokenId >= _trie.TokenCount)
        {
            // A special token parts the text before it from the text behind it.
            _state = _machine!.Start;
        }
        else if (Array.IndexOf(_stopTokenIds, tokenId) < 0)
        {
            AcceptText(tokenId);
        }
    }

    private bool AcceptMarker(int tokenId)
    {
        if (tokenId == _markers!.SectionBegin && (_stage is Stage.Start or Stage.Text))
        {
            _stage = Stage.Section;
        }
        else if (tokenId == _markers.CallBegin && (_stage is Stage.Section or Stage.AfterCall))
        {
            _callId!.Begin(_grammar.Calls!.FirstIndex + _callCount++);
            _stage = Stage.CallId;
        }
        else if (tokenId == _markers.ArgumentBegin && _stage == Stage.CallId)
        {
            JsonGrammar arguments = _callId!.Tool;
            Begin(Stage.Arguments, arguments.Bytes, arguments.HasOtherKeys);
        }
        else if (tokenId == _markers.CallEnd && _stage == Stage.Arguments)
        {
            _stage = Stage.AfterCall;
        }
        else if (tokenId == _markers.SectionEnd && _stage == Stage.AfterCall)
        {
            _stage = Stage.End;
        }
        else
        {
            return false;
        }

        return true;
    }

    private void AcceptText(int tokenId)
    {
        ReadOnlySpan<byte> bytes = _tokenizer.GetBytes(tokenId);
        if (_stage == Stage.CallId)
        {
            _callId!.Append(bytes);
            return;
        }

        if (_state is null || _machine!.Step(_state, bytes) is not { } next)
        {
            ThrowNotAllowed(tokenId);
            return;
        }

        _state = next;
        _stage = _stage == Stage.Start ? Stage.Value : _stage;
        if (_watchesKeys)
        {
            _keys.Append(bytes);
        }
    }

    private void Begin(Stage stage, ByteGrammar grammar, bool watchesKeys)
    {
        _stage = stage;
        _machine = grammar.MachineOf(_trie);
        _state = _machine.Start;
        _watchesKeys = watchesKeys;
        _keys.Reset();
    }

    [DoesNotReturn]
    private static void ThrowNotAllowed(int tokenId) =>
        throw new InvalidOperationException($"Token {tokenId} was drawn, which the grammar does not allow here.");
}
