namespace KimiLinear.ToolCalls;

/// <summary>What a <see cref="ToolCallEvent"/> reports.</summary>
public enum ToolCallEventKind
{
    /// <summary>Text for the reader of the reply.</summary>
    Text,

    /// <summary>A call began, and its tool is known. Its arguments follow.</summary>
    CallStarted,

    /// <summary>The next piece of the started call's arguments.</summary>
    Arguments,

    /// <summary>The call is whole.</summary>
    CallCompleted,

    /// <summary>The reply ended inside the call.</summary>
    CallCut,
}
