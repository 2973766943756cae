namespace KimiLinear.Backends;

/// <summary>Which quantised forms the rows of a stage take.</summary>
/// <param name="Replies">The rows of tokens that replies write.</param>
/// <param name="Prompts">The rows of prompts, which may be rounded further.</param>
internal readonly record struct StageForms(OperandForms Replies, OperandForms Prompts)
{
    /// <summary>The same for all rows.</summary>
    public static StageForms Same(OperandForms forms) => new(forms, forms);
}
