using ChatSample;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

ChatConsole console = new();
try
{
    ChatArguments arguments = ChatArguments.Parse(args);
    if (arguments.ShowHelp)
    {
        Console.WriteLine(ChatArguments.Usage);
        return 0;
    }

    LoadingBar loading = new(console);
    ServiceCollection services = new();
    services.AddKimiLinearChatClient(options =>
        {
            options.ModelPath = arguments.ModelPath;
            options.ThreadCount = arguments.ThreadCount;
            options.LoadProgress = loading;
            options.DownloadProgress = loading;
        })
        .UseFunctionInvocation();
    await using ServiceProvider provider = services.BuildServiceProvider();
    IChatClient client = await loading.WatchAsync(Task.Run(provider.GetRequiredService<IChatClient>));

    ChatOptions options = new()
    {
        Tools = arguments.UseTools ? [.. DemoTools.All] : null,
        Temperature = arguments.Temperature,
        Seed = arguments.Seed,
        MaxOutputTokens = arguments.MaxTokens,
    };
    ChatSession session = new(client, options);
    session.Reset(arguments.SystemPrompt);

    if (arguments.Prompt is { } prompt)
    {
        await new ReplyPrinter(console).PrintAsync(session.SendAsync(prompt));
    }
    else
    {
        await new ChatLoop(session, console).RunAsync();
    }

    return 0;
}
catch (Exception exception) when (ChatErrors.IsExpected(exception))
{
    console.WriteError(exception.Message);
    return 1;
}
