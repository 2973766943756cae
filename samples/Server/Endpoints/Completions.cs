using System.Text;
using KimiLinear.Generation;
using KimiServer.Hosting;
using KimiServer.Replies;
using KimiServer.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace KimiServer.Endpoints;

/// <summary>POST /v1/completions: texts continued as they are, without a chat template.</summary>
internal static class Completions
{
    // Of one request; whoever wants more sends several.
    private const int MaxReplies = 128;

    public static async Task HandleAsync(HttpContext context, ServedModel model)
    {
        RequestFields fields = await RequestFields.ReadAsync(context);
        int maxReplies = Math.Min(MaxReplies, context.RequestServices.GetRequiredService<ServerSettings>().MaxOpenRequests);
        CompletionRequest request = ModelRefusals.Translate(() => CompletionRequest.Read(
            fields, model.Tokenizer, model.VocabularySize, model.Engine.DefaultSamplingOptions, maxReplies));
        model.RequireName(request.Model);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        RunningCompletion[] replies =
        [
            .. Enumerable.Range(0, request.ReplyCount).Select(index => ModelRefusals.Translate(
                () => new RunningCompletion(
                    index, model.Engine.GenerateAsync(request.PromptOf(index), request.OptionsOf(index), stop.Token)),
                request.Prompts.Count > 1 ? $"prompt[{index / request.RepliesPerPrompt}]" : null)),
        ];
        CompletionReply reply = new(model.Name);
        await (request.Stream.IsWanted
            ? StreamAsync(context, request, reply, replies, stop)
            : WriteAsync(context, request, reply, replies, stop));
    }

    private static async Task WriteAsync(
        HttpContext context,
        CompletionRequest request,
        CompletionReply reply,
        RunningCompletion[] replies,
        CancellationTokenSource stop)
    {
        StringBuilder[] texts = [.. replies.Select(_ => new StringBuilder())];
        await RunningCompletion.ReadAllAsync(
            replies,
            (index, token) =>
            {
                texts[index].Append(token.Text);
                return Task.CompletedTask;
            },
            stop);
        await JsonReply.WriteAsync(
            context.Response,
            reply.Whole(replies.Select(one => (texts[one.Index].ToString(), one.Last.FinishReason)), Usage(request, replies)),
            context.RequestAborted);
    }

    private static async Task StreamAsync(
        HttpContext context,
        CompletionRequest request,
        CompletionReply reply,
        RunningCompletion[] replies,
        CancellationTokenSource stop)
    {
        // Nothing is sent before all replies have begun: until then the request may still be refused as a whole.
        using SemaphoreSlim turn = new(initialCount: 0, maxCount: 1);
        bool hasBegun = false;
        Task reading = RunningCompletion.ReadAllAsync(replies, SendAsync, stop);
        if (!stop.IsCancellationRequested)
        {
            turn.Release();
        }

        await reading;
        if (request.Stream.IncludesUsage)
        {
            await ServerSentEvents.WriteAsync(context.Response, reply.Usage(Usage(request, replies)), context.RequestAborted);
        }

        await ServerSentEvents.EndAsync(context.Response, context.RequestAborted);

        async Task SendAsync(int index, GeneratedToken token)
        {
            await turn.WaitAsync(stop.Token);
            try
            {
                if (!hasBegun)
                {
                    hasBegun = true;
                    ServerSentEvents.Begin(context.Response);
                }

                if (token.Text.Length > 0 || token.FinishReason is not null)
                {
                    await ServerSentEvents.WriteAsync(
                        context.Response, reply.Piece(index, token.Text, token.FinishReason), context.RequestAborted);
                }
            }
            finally
            {
                turn.Release();
            }
        }
    }

    // What was resumed is told of a prompt's first reply; the others begin at the same time.
    private static CompletionUsage Usage(CompletionRequest request, RunningCompletion[] replies) => new(
        request.Prompts.Sum(prompt => prompt.Length),
        replies.Sum(one => one.TokenCount),
        replies.Where(one => one.Index % request.RepliesPerPrompt == 0)
            .Sum(one => one.Last.Timings?.CachedPromptTokenCount ?? 0));
}
