using System.Text.Json;
using KimiLinear.ToolCalls;

namespace KimiLinear.Tests.ToolCalls;

/// <summary>Declared tools with the given parameters.</summary>
internal static class ToolSet
{
    public static ToolDeclaration Tool(string name, params string[] parameters) =>
        new(name, null, JsonSerializer.SerializeToElement(
            new { type = "object", properties = parameters.ToDictionary(parameter => parameter, _ => new { type = "string" }) }));

    public static IReadOnlyList<ToolDeclaration> Weather { get; } =
        [Tool("get_weather", "city", "unit"), Tool("search", "query"), Tool("ns.read-file2", "path")];
}
