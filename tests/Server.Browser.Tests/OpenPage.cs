using Microsoft.Playwright;
using Xunit;

namespace KimiServer.Browser.Tests;

/// <summary>An open page, with what the browser complained about and what it asked others for.</summary>
public sealed class OpenPage : IAsyncDisposable
{
    private readonly List<string> _complaints = [];
    private readonly List<string> _requests = [];

    public OpenPage(IPage page)
    {
        Page = page;
        page.PageError += (_, error) => _complaints.Add(error);
        page.Console += (_, message) =>
        {
            // The network's own lines are about answers of the server, which tests look at themselves.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
            {
                _complaints.Add(message.Text);
            }
        };
        page.Request += (_, request) => _requests.Add(request.Url);
    }

    public IPage Page { get; }

    public ILocator Log => Page.Locator("#log");

    public ILocator Input => Page.GetByLabel("Message", new PageGetByLabelOptions { Exact = true });

    public ILocator Stop => Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Stop" });

    public ILocator Send => Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Send" });

    /// <summary>Makes replies depend on nothing but the conversation.</summary>
    public async Task BeGreedyAsync(bool withTools = true)
    {
        await Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Settings" }).ClickAsync();
        await Page.GetByLabel("Temperature").FillAsync("0");
        await Page.GetByLabel("Offer example tools").SetCheckedAsync(withTools);
        await Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Settings" }).ClickAsync();
    }

    /// <summary>Asks with the keyboard and waits for the whole answer.</summary>
    public async Task AskAsync(string question)
    {
        await Input.FillAsync(question);
        await Input.PressAsync("Enter");
        await Send.WaitForAsync();
    }

    /// <summary>The last answer.</summary>
    public async Task<string> AnswerAsync() => await Page.Locator(".assistant").Last.InnerTextAsync();

    /// <summary>Keeps a picture, if somebody asks for them, for the documentation.</summary>
    public async Task PictureAsync(string name)
    {
        if (Environment.GetEnvironmentVariable("SCREENSHOTS") is { Length: > 0 } folder)
        {
            await Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{name}.png") });
        }
    }

    public async ValueTask DisposeAsync()
    {
        string origin = new Uri(Page.Url).GetLeftPart(UriPartial.Authority);
        await Page.Context.CloseAsync();
        Assert.Empty(_complaints);
        Assert.All(
            _requests.Where(url => !url.StartsWith("data:", StringComparison.Ordinal)), url => Assert.StartsWith(origin, url));
    }
}
