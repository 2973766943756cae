using System.Text;
using System.Text.Json.Nodes;
using KimiServer.Tests;
using Microsoft.Playwright;
using Xunit;

namespace KimiServer.Browser.Tests;

/// <summary>The chat page as people use it.</summary>
public sealed class ChatPageTests(Browser browser, RunningServer server)
{
    private const int FirstSpecialToken = 1280;

    [Fact]
    public async Task Question_Asked_IsAnsweredWithItsSpeed()
    {
        await using OpenPage open = await browser.OpenAsync(server.Address);
        await open.BeGreedyAsync(withTools: false);

        await open.AskAsync("Who are you?");

        Assert.Equal("I am a tiny Kimi Linear model, trained to show how the library works.", await open.AnswerAsync());
        Assert.Matches(
            @"^\d+ tokens read.*, 17 written at [\d,]+ tokens/s$", await open.Page.Locator(".figures").InnerTextAsync());
        Assert.Equal("kimi-linear-tiny", await open.Page.TitleAsync());
    }

    [Fact]
    public async Task Tool_Needed_ShowsCallAndResultAndAnswersFromIt()
    {
        await using OpenPage open = await browser.OpenAsync(server.Address);
        await open.BeGreedyAsync();

        await open.AskAsync("What is the weather in Paris?");
        string call = await open.Page.Locator(".call").InnerTextAsync();
        string answer = await open.AnswerAsync();
        await open.AskAsync("Add 12 and 30.");

        Assert.Equal("get_weather({\"city\": \"Paris\"})\n→ {\"temperature\": 18, \"condition\": \"sunny\"}", call);
        Assert.Equal("The weather in Paris is sunny with 18 degrees.", answer);
        Assert.Equal("The result is 42.", await open.AnswerAsync());
        await open.PictureAsync("chat-page");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reply_WithoutEnd_IsStopped(bool byKey)
    {
        await using OpenPage open = await browser.OpenAsync(server.Address);
        await NeverEndAsync(open.Page);
        await open.Input.FillAsync("Tell me a story.");
        await open.Send.ClickAsync();
        await open.Stop.WaitForAsync();
        await RunningServer.UntilAsync(async () => await open.AnswerAsync() != "");

        if (byKey)
        {
            await open.Page.Keyboard.PressAsync("Escape");
        }
        else
        {
            await open.Stop.ClickAsync();
        }

        await open.Send.WaitForAsync();
        Assert.NotEqual("", await open.AnswerAsync());
        Assert.Contains("Stopped.", await open.Log.InnerTextAsync());
        await RunningServer.UntilAsync(async () => await server.MetricAsync("num_requests_running") == 0);
    }

    [Fact]
    public async Task NewChat_WhileWriting_BeginsEmpty()
    {
        await using OpenPage open = await browser.OpenAsync(server.Address);
        await NeverEndAsync(open.Page);
        await open.Input.FillAsync("Tell me a story.");
        await open.Send.ClickAsync();
        await open.Stop.WaitForAsync();

        await open.Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "New chat" }).ClickAsync();
        await open.Send.WaitForAsync();
        await open.Page.UnrouteAllAsync();
        await open.BeGreedyAsync();
        await open.AskAsync("Who are you?");

        Assert.Equal(1, await open.Page.Locator(".user").CountAsync());
        Assert.Equal(1, await open.Page.Locator(".assistant").CountAsync());
    }

    [Fact]
    public async Task Text_OfPeopleAndModels_IsNeverMarkup()
    {
        const string Markup = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
        await using OpenPage open = await browser.OpenAsync(server.Address);
        await open.Page.RouteAsync("**/v1/chat/completions", route => route.FulfillAsync(new RouteFulfillOptions
        {
            ContentType = "text/event-stream",
            Body = $"data: {Chunk(new JsonObject { ["content"] = Markup })}\n\ndata: {Chunk(Call(Markup))}\n\ndata: [DONE]\n\n",
        }), new PageRouteOptions { Times = 1 });

        await open.AskAsync(Markup);

        Assert.Equal(0, await open.Log.Locator("img, script").CountAsync());
        Assert.Equal(Markup, await open.Page.Locator(".user").InnerTextAsync());
        Assert.Equal(Markup, await open.Page.Locator(".assistant").First.InnerTextAsync());
        Assert.Contains(Markup, await open.Page.Locator(".call").First.InnerTextAsync());
        Assert.NotEqual("owned", await open.Page.TitleAsync());
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Phone_Narrow_ShowsAllWithoutScrollingSideways(ColorScheme scheme)
    {
        await using OpenPage open = await browser.OpenAsync(server.Address, Browser.Phone, scheme);
        await open.BeGreedyAsync();
        await open.AskAsync("What is the weather in Oslo?");
        await open.AskAsync("Who are you?");
        await open.PictureAsync($"chat-page-phone-{(scheme == ColorScheme.Dark ? "dark" : "light")}");
        await open.AskAsync(new string('m', 200));

        LocatorBoundingBoxResult send = (await open.Send.BoundingBoxAsync())!;
        int[] background = await open.Page.EvaluateAsync<int[]>(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)");

        Assert.Equal(360, await open.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.InRange(send.X + send.Width, 0, 360);
        Assert.InRange(send.Y + send.Height, 0, 640);
        Assert.InRange(send.Height, 40, 80);
        Assert.Equal(scheme == ColorScheme.Dark, background[0] < 128);
        await open.Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Settings" }).ClickAsync();
        Assert.Equal(360, await open.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
    }

    [Fact]
    public async Task Keyboard_Alone_ReachesEverything()
    {
        await using OpenPage open = await browser.OpenAsync(server.Address);
        List<string> reached = [];
        await open.Page.Locator("#new").FocusAsync();
        await open.Page.Keyboard.PressAsync("Tab");
        await open.Page.Keyboard.PressAsync("Enter");
        for (int i = 0; i < 8; i++)
        {
            reached.Add(await open.Page.EvaluateAsync<string>("document.activeElement.id"));
            await open.Page.Keyboard.PressAsync("Tab");
        }

        Assert.Equal(["toggle", "system", "temperature", "max", "key", "tools", "log", "input"], reached);
        Assert.Equal("true", await open.Page.Locator("#toggle").GetAttributeAsync("aria-expanded"));
    }

    [Fact]
    public async Task Key_Missing_IsSaidAndMayBeGiven()
    {
        await using RunningServer guarded = await RunningServer.StartAsync(
            RunningServer.Settings() with { ApiKeys = ["secret"] });
        await using OpenPage open = await browser.OpenAsync(guarded.Address);
        await open.AskAsync("Who are you?");
        string refusal = await open.Page.Locator(".error").InnerTextAsync();
        string kept = await open.Input.InputValueAsync();

        await open.BeGreedyAsync();
        await open.Page.Locator("#toggle").ClickAsync();
        await open.Page.GetByLabel("API key").FillAsync("secret");
        await open.Input.PressAsync("Enter");
        await open.Page.Locator(".figures").WaitForAsync();

        Assert.Contains("carries no API key", refusal);
        Assert.Equal("Who are you?", kept);
        Assert.NotEqual("", await open.AnswerAsync());
        Assert.Equal("kimi-linear-tiny", await open.Page.Locator("#model").InnerTextAsync());
    }

    [Fact]
    public async Task Page_Answer_ForbidsEverythingFromElsewhere()
    {
        await using OpenPage open = await browser.OpenAsync(server.Address);
        IResponse response = (await open.Page.ReloadAsync())!;

        string policy = (await response.AllHeadersAsync())["content-security-policy"];
        Assert.StartsWith("default-src 'none'; script-src 'self';", policy);
        Assert.DoesNotContain("unsafe", policy);
    }

    // The tokens that would end a reply are forbidden on the way.
    private static async Task NeverEndAsync(IPage page) => await page.RouteAsync("**/v1/chat/completions", route =>
    {
        JsonNode body = JsonNode.Parse(route.Request.PostData!)!;
        body["logit_bias"] = new JsonObject(Enumerable.Range(FirstSpecialToken, 20).Select(
            id => KeyValuePair.Create($"{id}", (JsonNode?)JsonValue.Create(-1000))));
        return route.ContinueAsync(new RouteContinueOptions { PostData = Encoding.UTF8.GetBytes(body.ToJsonString()) });
    });

    private static JsonObject Call(string arguments) => new()
    {
        ["tool_calls"] = new JsonArray(new JsonObject
        {
            ["index"] = 0,
            ["id"] = "functions.add:0",
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = "add", ["arguments"] = arguments },
        }),
    };

    private static string Chunk(JsonObject delta) => new JsonObject
    {
        ["choices"] = new JsonArray(new JsonObject { ["index"] = 0, ["delta"] = delta }),
    }.ToJsonString();
}
