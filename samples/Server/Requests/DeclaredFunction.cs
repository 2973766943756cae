using System.Text.Json;
using KimiLinear.Extensions.AI;
using Microsoft.Extensions.AI;

namespace KimiServer.Requests;

/// <summary>A function as a request declares it; who calls it is the client.</summary>
internal sealed class DeclaredFunction(string name, string description, JsonElement parameters, bool isStrict) : AIFunctionDeclaration
{
    public override string Name => name;

    public override string Description => description;

    public override JsonElement JsonSchema => parameters;

    public override IReadOnlyDictionary<string, object?> AdditionalProperties { get; } =
        new Dictionary<string, object?> { [KimiLinearChatClient.StrictProperty] = isStrict };
}
