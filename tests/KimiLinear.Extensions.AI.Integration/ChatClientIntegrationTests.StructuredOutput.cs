using Microsoft.Extensions.AI;
using Xunit;

namespace KimiLinear.Extensions.AI.Integration;

/// <content>Replies of a .NET type.</content>
public sealed partial class ChatClientIntegrationTests
{
    private const string Jimbo = "Jimbo Smith, 35 years old, writes programs in Cardiff, Wales.";
    private const string JimboAsJson =
        """{"fullName": "Jimbo Smith", "ageInYears": 35, "homeTown": "Cardiff", "job": "Programmer"}""";
    private const string JoshAsJson =
        """{"fullName": "Josh Simpson", "ageInYears": 25, "homeTown": "Newport", "job": "Programmer"}""";

    private enum JobType
    {
        Wombat,
        PopStar,
        Programmer,
        Unknown,
    }

    [Fact]
    public Task GetResponseAsync_StructuredOutput() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<Person>(create, $"Who is this? {Jimbo}", RequireJimbo),
        JimboAsJson);

    [Fact]
    public Task GetResponseAsync_StructuredOutputArray() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<Person[]>(
            create,
            $"Who are these? {Jimbo} Josh Simpson, 25, does so in Newport, Wales.",
            people => Assert.Equal(["Jimbo Smith", "Josh Simpson"], people.Select(person => person.FullName).Order())),
        $"{{\"data\": [{JimboAsJson}, {JoshAsJson}]}}");

    [Fact]
    public Task GetResponseAsync_StructuredOutputInteger() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<int>(
            create, "There were 14 abstractions, and then one more. How many are there?", number => Assert.Equal(15, number)),
        "{\"data\": 15}");

    [Fact]
    public Task GetResponseAsync_StructuredOutputString() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<string>(create, $"{Jimbo} What is his full name?", name => Assert.Equal("Jimbo Smith", name)),
        "{\"data\": \"Jimbo Smith\"}");

    [Fact]
    public Task GetResponseAsync_StructuredOutputBool_True() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<bool>(create, $"{Jimbo} Does anybody write programs in Cardiff?", Assert.True),
        "{\"data\": true}");

    [Fact]
    public Task GetResponseAsync_StructuredOutputBool_False() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<bool>(create, $"{Jimbo} Is he a doctor?", Assert.False),
        "{\"data\": false}");

    [Fact]
    public Task GetResponseAsync_StructuredOutputEnum() => RunAsync(
        Need.Knowledge,
        create => RequireAsync<JobType>(
            create, "Taylor Swift sings and writes songs. What is her job?", job => Assert.Equal(JobType.PopStar, job)),
        "{\"data\": \"PopStar\"}");

    [Fact]
    public Task GetResponseAsync_StructuredOutput_WithFunctions() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            List<int> ids = [];
            using IChatClient client = new FunctionInvokingChatClient(create());
            AIFunction find = AIFunctionFactory.Create(
                (int personId) =>
                {
                    ids.Add(personId);
                    return new Person { FullName = "Jimbo Smith", AgeInYears = 35, HomeTown = "Cardiff", Job = JobType.Programmer };
                },
                "GetPersonById");

            ChatResponse<Person> response = await client.GetResponseAsync<Person>(
                "Who is person 123?", new ChatOptions { Tools = [find] }, cancellationToken: Cancellation);

            RequireJimbo(response.Result);
            Assert.Equal([123], ids);
        },
        Call("GetPersonById", "{\"personId\": 123}"),
        JimboAsJson);

    [Fact]
    public Task GetResponseAsync_StructuredOutput_NonNative() => RunAsync(
        Need.Knowledge,
        async create =>
        {
            List<ChatOptions?> seen = [];
            using IChatClient client = create().AsBuilder()
                .Use((messages, options, next, cancellationToken) =>
                {
                    seen.Add(options);
                    return next(messages, options, cancellationToken);
                })
                .Build();

            ChatResponse<Person> response = await client.GetResponseAsync<Person>(
                "Make an object of Jimbo Smith from Cardiff.", useJsonSchemaResponseFormat: false, cancellationToken: Cancellation);

            // Any object would do for the client; whether it is a person is the model's part.
            Assert.True(response.TryGetResult(out Person? person), response.Text);
            Assert.Equal("Jimbo Smith", person.FullName);
            Assert.Contains("Cardiff", person.HomeTown, StringComparison.Ordinal);
            ChatResponseFormatJson format = Assert.IsType<ChatResponseFormatJson>(Assert.Single(seen)!.ResponseFormat);
            Assert.Null(format.Schema);
            Assert.Null(format.SchemaName);
            Assert.Null(format.SchemaDescription);
        },
        JimboAsJson);

    // That the reply fits the schema is seen to elsewhere. The schema of an int has no bounds, so a number may be too large for one.
    private static async Task RequireAsync<T>(Func<IChatClient> create, string question, Action<T> require)
    {
        using IChatClient client = create();

        ChatResponse<T> response = await client.GetResponseAsync<T>(question, cancellationToken: Cancellation);

        Assert.True(response.TryGetResult(out T? result), response.Text);
        require(result);
    }

    private static void RequireJimbo(Person person)
    {
        Assert.Equal("Jimbo Smith", person.FullName);
        Assert.Equal(35, person.AgeInYears);
        Assert.Contains("Cardiff", person.HomeTown, StringComparison.Ordinal);
        Assert.Equal(JobType.Programmer, person.Job);
    }

    private sealed class Person
    {
        public string? FullName { get; set; }

        public int AgeInYears { get; set; }

        public string? HomeTown { get; set; }

        public JobType Job { get; set; }
    }
}
