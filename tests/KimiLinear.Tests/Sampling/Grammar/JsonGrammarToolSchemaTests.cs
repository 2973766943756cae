using System.Text.Json;
using KimiLinear.Sampling;
using Xunit;

namespace KimiLinear.Tests.Sampling;

public sealed class JsonGrammarToolSchemaTests
{
    public static TheoryData<string> Schemas() => new(ToolSchemas.All);

    [Theory]
    [MemberData(nameof(Schemas))]
    public void Compile_SchemaOfATool_IsEnforcedWhole(string schema)
    {
        JsonElement element = JsonElement.Parse(schema);
        JsonGrammar grammar = JsonGrammar.Compile(element, new JsonGrammarOptions { IsStrict = true });
        GrammarWalk walk = new(GrammarVocabulary.Small, seed: 42);

        for (int i = 0; i < 5; i++)
        {
            string? reply = walk.Write(ReplyGrammar.Json(grammar), maxTokens: 2000);

            Assert.NotNull(reply);
            Assert.True(SchemaValidator.IsValid(element, JsonElement.Parse(reply)), reply);
        }
    }

    [Fact]
    public void Schemas_AsManyAsTheIntegrationTestsHave() => Assert.Equal(29, ToolSchemas.All.Length);
}
