using System.Reflection;
using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Tests;

/// <summary>Every member of <see cref="ChatOptions"/>: nothing, the ends of its range, and what lies outside.</summary>
public sealed class ChatOptionsTests(TinyModel tiny)
{
    private const string Question = "Tell me a story about a blue bear.";

    private static readonly PropertyInfo[] Members = typeof(ChatOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

    public static TheoryData<string> MemberNames() => new(Members.Select(member => member.Name));

    public static TheoryData<string, string> Accepted() =>
        new(OptionCases.Accepted.Select(@case => (@case.Member, @case.Value)));

    public static TheoryData<string, string> Refused() =>
        new(OptionCases.Refused.Select(@case => (@case.Member, @case.Value)));

    [Theory]
    [MemberData(nameof(MemberNames))]
    public async Task Member_SetToNothing_IsAsIfItWereNotSet(string name)
    {
        PropertyInfo member = Members.Single(member => member.Name == name);
        ChatOptions options = name == nameof(ChatOptions.Seed) ? new() { Temperature = 0 } : new() { Seed = 5 };
        string unset = await AskAsync(options);
        Assert.Null(member.GetValue(new ChatOptions()));

        member.SetValue(options, null);

        Assert.Equal(unset, await AskAsync(options));
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public async Task Member_AtTheEndsOfItsRange_GetsAReply(string name, string value)
    {
        ChatOptions options = new() { Seed = 5, MaxOutputTokens = 12 };
        OptionCases.Accepted.Single(@case => (@case.Member, @case.Value) == (name, value)).Set(options);

        await StreamRules.CheckAsync(tiny.Client.GetStreamingResponseAsync(Question, options));
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task Member_OutsideItsRange_IsRefusedByNameBeforeAnythingIsComputed(string name, string value)
    {
        OptionCase refused = OptionCases.Refused.Single(@case => (@case.Member, @case.Value) == (name, value));
        ChatOptions options = new();
        refused.Set(options);

        Exception atOnce = Assert.Throws(refused.Refusal!, () => { tiny.Client.GetStreamingResponseAsync(Question, options); });
        Exception whole = await Assert.ThrowsAsync(refused.Refusal!, () => tiny.Client.GetResponseAsync(Question, options));

        Assert.Contains(refused.NamedAs, atOnce.Message, StringComparison.Ordinal);
        Assert.Equal(atOnce.Message, whole.Message);
    }

    /// <summary>A member that is new in the contract fails this until somebody has thought about it.</summary>
    [Fact]
    public void EveryMember_HasTestsOfItsOwn()
    {
        string[] tests =
        [
            .. typeof(ChatOptionsTests).Assembly.GetTypes()
                .SelectMany(type => type.GetMethods())
                .Where(method => method.GetCustomAttribute<FactAttribute>() is not null)
                .Select(method => method.Name),
        ];

        Assert.All(Members, member =>
        {
            Assert.Contains(OptionCases.Accepted.Concat(OptionCases.Refused), @case => @case.Member == member.Name);
            Assert.Contains(tests, test => test.StartsWith(member.Name + "_", StringComparison.Ordinal));
        });
    }

    private async Task<string> AskAsync(ChatOptions options) =>
        (await tiny.Client.GetResponseAsync(Question, options, TestContext.Current.CancellationToken)).Text;
}
