using KimiServer.Browser.Tests;
using KimiServer.Tests;
using Microsoft.Playwright;
using Xunit;

[assembly: AssemblyFixture(typeof(Browser))]

namespace KimiServer.Browser.Tests;

/// <summary>The system's Chromium, without a window.</summary>
public sealed class Browser : IAsyncLifetime
{
    /// <summary>A screen like a laptop's.</summary>
    public static readonly ViewportSize Desktop = new() { Width = 1100, Height = 700 };

    /// <summary>A narrow phone.</summary>
    public static readonly ViewportSize Phone = new() { Width = 360, Height = 640 };

    private static readonly string[] Flags =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ];

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium",
            Args = Flags,
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _browser!.CloseAsync();
        _playwright!.Dispose();
    }

    /// <summary>Opens the page of a server in a fresh profile.</summary>
    public async Task<OpenPage> OpenAsync(Uri address, ViewportSize? size = null, ColorScheme scheme = ColorScheme.Light)
    {
        IBrowserContext context = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = size ?? Desktop,
            ColorScheme = scheme,
            Locale = "en-US",
            HasTouch = size == Phone,
        });
        IPage page = await context.NewPageAsync();
        page.SetDefaultTimeout((float)RunningServer.Limit.TotalMilliseconds);
        OpenPage open = new(page);
        await page.GotoAsync(address.ToString());
        return open;
    }
}
