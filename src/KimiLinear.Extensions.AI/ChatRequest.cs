using KimiLinear.Chat;
using KimiLinear.Generation;
using KimiLinear.ToolCalls;

namespace KimiLinear.Extensions.AI;

/// <summary>One request, taken apart and checked before anything is computed; nothing in it belongs to the caller.</summary>
/// <param name="PromptTokenIds">The rendered conversation.</param>
/// <param name="GenerationOptions">How to generate the reply.</param>
/// <param name="Tools">The given functions, whose calls are recognised.</param>
/// <param name="History">The turns as the caller sent them, for the ids of new calls.</param>
/// <param name="MayCall">Whether functions were declared to the model; calls it makes all the same are left out.</param>
/// <param name="StopAfterFirstCall">Whether the reply ends with its first whole call.</param>
internal sealed record ChatRequest(
    int[] PromptTokenIds,
    GenerationOptions GenerationOptions,
    IReadOnlyList<ToolDeclaration> Tools,
    IReadOnlyList<ChatTurn> History,
    bool MayCall,
    bool StopAfterFirstCall);
