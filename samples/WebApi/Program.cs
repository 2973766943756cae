using Microsoft.Extensions.AI;

WebApplicationBuilder builder = WebApplication.CreateBuilder(
    new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.Services.AddKimiLinearChatClient(options =>
{
    options.ModelPath = builder.Configuration["model"] ?? Path.Combine(AppContext.BaseDirectory, "models", "kimi-linear-tiny");
});

WebApplication app = builder.Build();
app.MapPost("/ask", async (Question question, IChatClient client, CancellationToken cancellationToken) =>
{
    ChatResponse response = await client.GetResponseAsync(question.Text, cancellationToken: cancellationToken);
    return new Answer(response.Text);
});
app.MapGet("/ask", (string text, IChatClient client, CancellationToken cancellationToken) =>
    TypedResults.ServerSentEvents(client.GetStreamingResponseAsync(text, cancellationToken: cancellationToken)
        .Select(update => update.Text)));
app.Run();

internal sealed record Question(string Text);

internal sealed record Answer(string Text);
