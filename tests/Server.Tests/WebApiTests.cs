using System.Diagnostics;
using System.Net.Http.Json;
using Xunit;

namespace KimiServer.Tests;

/// <summary>The smallest application, as a program of its own.</summary>
public sealed class WebApiTests
{
    [Fact]
    public async Task Ask_Question_IsAnsweredWholeAndInPieces()
    {
        using Process process = Process.Start(new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "WebApi.dll"), "--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
        })!;
        try
        {
            using HttpClient http = new() { BaseAddress = await AddressAsync(process), Timeout = RunningServer.Limit };

            using HttpResponseMessage whole = await http.PostAsJsonAsync("/ask", new { text = "Hello" });
            string pieces = await http.GetStringAsync("/ask?text=Hello");

            Assert.NotEqual("", (await whole.Content.ReadFromJsonAsync<Dictionary<string, string>>())!["text"]);
            Assert.StartsWith("data: ", pieces);
        }
        finally
        {
            process.Kill();
        }
    }

    private static async Task<Uri> AddressAsync(Process process)
    {
        const string Listening = "Now listening on: ";
        using CancellationTokenSource limit = new(RunningServer.Limit);
        while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.Contains(Listening, StringComparison.Ordinal))
            {
                return new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]);
            }
        }

        throw new InvalidOperationException("The application ended before it listened.");
    }
}
