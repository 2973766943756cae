using System.Text;
using KimiLinear.Tokenization;
using KimiLinear.ToolCalls;

namespace KimiLinear.Chat;

/// <summary>Turns conversations into prompts, as the template published with the Kimi-Linear models does.</summary>
/// <remarks>No system prompt is ever added. All members are safe for concurrent use.</remarks>
public static class ChatTemplate
{
    private const string UserBegin = "<|im_user|>";
    private const string AssistantBegin = "<|im_assistant|>";
    private const string SystemBegin = "<|im_system|>";
    private const string HeaderEnd = "<|im_middle|>";
    private const string TurnEnd = "<|im_end|>";

    private const string AssistantRole = "assistant";

    /// <summary>Renders a conversation as text, byte for byte as the published template does.</summary>
    /// <remarks>
    /// A message that contains a marker's text cannot be told from a marker here; use <see cref="Encode"/> for what a model
    /// reads.
    /// </remarks>
    /// <param name="turns">The conversation, oldest turn first; may be empty.</param>
    /// <param name="tools">The tools to declare; <see langword="null"/> or empty for none.</param>
    /// <param name="addGenerationPrompt">Whether to end with the header of the reply that the model is to write.</param>
    /// <returns>The prompt.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="turns"/> is <see langword="null"/>.</exception>
    public static string Render(
        IReadOnlyList<ChatTurn> turns,
        IReadOnlyList<ToolDeclaration>? tools = null,
        bool addGenerationPrompt = true)
    {
        ArgumentNullException.ThrowIfNull(turns);
        return string.Concat(Segments(turns, tools, addGenerationPrompt).Select(segment => segment.Text));
    }

    /// <summary>
    /// Renders a conversation as tokens. The template's markers become their special tokens; everything that people or tools
    /// wrote is ordinary text, so that no message can end its own turn or pose as another.
    /// </summary>
    /// <remarks>A marker that the vocabulary does not have as a special token is encoded as ordinary text.</remarks>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="turns">The conversation, oldest turn first; may be empty.</param>
    /// <param name="tools">The tools to declare; <see langword="null"/> or empty for none.</param>
    /// <param name="addGenerationPrompt">Whether to end with the header of the reply that the model is to write.</param>
    /// <param name="destination">Where the tokens are appended.</param>
    /// <exception cref="ArgumentNullException">
    /// An argument other than <paramref name="tools"/> is <see langword="null"/>.
    /// </exception>
    public static void Encode(
        KimiTokenizer tokenizer,
        IReadOnlyList<ChatTurn> turns,
        IReadOnlyList<ToolDeclaration>? tools,
        bool addGenerationPrompt,
        List<int> destination)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(turns);
        ArgumentNullException.ThrowIfNull(destination);

        // all text between two markers is encoded at once, since its pieces may merge into one token
        StringBuilder text = new();
        foreach (PromptSegment segment in Segments(turns, tools, addGenerationPrompt))
        {
            if (segment.IsMarker && tokenizer.TryGetSpecialTokenId(segment.Text, out int id))
            {
                tokenizer.Encode(text.ToString(), destination);
                text.Clear();
                destination.Add(id);
            }
            else
            {
                text.Append(segment.Text);
            }
        }

        tokenizer.Encode(text.ToString(), destination);
    }

    private static IEnumerable<PromptSegment> Segments(
        IReadOnlyList<ChatTurn> turns,
        IReadOnlyList<ToolDeclaration>? tools,
        bool addGenerationPrompt)
    {
        IEnumerable<PromptSegment> segments = tools is null or [] ? [] : Declare(tools);
        segments = segments.Concat(turns.SelectMany(Turn));
        return addGenerationPrompt ? segments.Concat(Header(AssistantBegin, AssistantRole)) : segments;
    }

    private static IEnumerable<PromptSegment> Declare(IReadOnlyList<ToolDeclaration> tools) =>
    [
        .. Header(SystemBegin, "tool_declare"),
        Text($"[{string.Join(',', tools.Select(tool => tool.ToJson()))}]"),
        Marker(TurnEnd),
    ];

    private static IEnumerable<PromptSegment> Turn(ChatTurn turn)
    {
        string begin = turn.Role switch
        {
            "user" => UserBegin,
            AssistantRole => AssistantBegin,
            _ => SystemBegin,
        };

        return [.. Header(begin, string.IsNullOrEmpty(turn.Name) ? turn.Role : turn.Name), .. Body(turn), Marker(TurnEnd)];
    }

    private static IEnumerable<PromptSegment> Body(ChatTurn turn) => turn.Role switch
    {
        AssistantRole when turn.ToolCalls.Count > 0 =>
        [
            Text(turn.Content),
            Marker(ToolCallMarkers.SectionBegin),
            .. turn.ToolCalls.SelectMany(Call),
            Marker(ToolCallMarkers.SectionEnd),
        ],
        "tool" => [Text("## Return of "), Text(turn.ToolCallId), Text("\n"), Text(turn.Content)],
        _ => [Text(turn.Content)],
    };

    private static IEnumerable<PromptSegment> Call(ToolCall call) =>
    [
        Marker(ToolCallMarkers.CallBegin),
        Text(call.Id),
        Marker(ToolCallMarkers.ArgumentBegin),
        Text(call.Arguments),
        Marker(ToolCallMarkers.CallEnd),
    ];

    private static PromptSegment[] Header(string begin, string name) => [Marker(begin), Text(name), Marker(HeaderEnd)];

    private static PromptSegment Marker(string text) => new(text, IsMarker: true);

    private static PromptSegment Text(string? text) => new(text ?? "", IsMarker: false);
}
