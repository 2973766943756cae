using KimiLinear.Chat;
using KimiLinear.ToolCalls;

namespace KimiLinear.Calibration;

/// <summary>What one line of calibration data holds: token ids, or plain text, or a conversation.</summary>
internal sealed record CalibrationRecord
{
    /// <summary>The name of the form it had.</summary>
    public required string Format { get; init; }

    public int[]? Ids { get; init; }

    public string? Text { get; init; }

    /// <summary>The conversation, where there are neither ids nor text.</summary>
    public IReadOnlyList<ChatTurn> Turns { get; init; } = [];

    /// <summary>The tools of the conversation; <see langword="null"/> when it names none.</summary>
    public IReadOnlyList<ToolDeclaration>? Tools { get; init; }
}
