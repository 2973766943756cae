using System.Text;
using System.Text.Json.Nodes;
using KimiLinear.Generation;
using KimiServer.Hosting;
using KimiServer.Replies;
using KimiServer.Requests;
using Microsoft.AspNetCore.Http;

namespace KimiServer.Endpoints;

/// <summary>POST /v1/completions: a text continued as it is, without a chat template.</summary>
internal static class Completions
{
    public static async Task HandleAsync(HttpContext context, ServedModel model)
    {
        RequestFields fields = await RequestFields.ReadAsync(context);
        (CompletionRequest request, IAsyncEnumerable<GeneratedToken> tokens) = ModelRefusals.Translate(() =>
        {
            CompletionRequest read = CompletionRequest.Read(fields, model.Tokenizer, model.Engine.DefaultSamplingOptions);
            return (read, model.Engine.GenerateAsync(read.PromptTokenIds, read.Options, context.RequestAborted));
        });
        model.RequireName(request.Model);
        CompletionReply reply = new(model.Name);
        await (request.Stream.IsWanted
            ? StreamAsync(context, request, reply, tokens)
            : WriteAsync(context, request, reply, tokens));
    }

    private static async Task WriteAsync(
        HttpContext context, CompletionRequest request, CompletionReply reply, IAsyncEnumerable<GeneratedToken> tokens)
    {
        StringBuilder text = new();
        int count = 0;
        GeneratedToken last = default;
        await foreach (GeneratedToken token in tokens)
        {
            text.Append(token.Text);
            count++;
            last = token;
        }

        JsonObject whole = reply.Text(text.ToString(), last.FinishReason);
        CompletionReply.AddUsage(whole, request.PromptTokenIds.Length, Count(count, last));
        await JsonReply.WriteAsync(context.Response, whole, context.RequestAborted);
    }

    private static async Task StreamAsync(
        HttpContext context, CompletionRequest request, CompletionReply reply, IAsyncEnumerable<GeneratedToken> tokens)
    {
        int count = 0;
        GeneratedToken last = default;
        await foreach (GeneratedToken token in tokens)
        {
            if (count++ == 0)
            {
                ServerSentEvents.Begin(context.Response);
            }

            last = token;
            if (token.Text.Length > 0 || token.FinishReason is not null)
            {
                await ServerSentEvents.WriteAsync(
                    context.Response, reply.Text(token.Text, token.FinishReason), context.RequestAborted);
            }
        }

        if (request.Stream.IncludesUsage)
        {
            await ServerSentEvents.WriteAsync(
                context.Response, reply.Usage(request.PromptTokenIds.Length, Count(count, last)), context.RequestAborted);
        }

        await ServerSentEvents.EndAsync(context.Response, context.RequestAborted);
    }

    private static GeneratedCount Count(int tokens, GeneratedToken last) =>
        new(tokens, last.Timings?.CachedPromptTokenCount ?? 0);
}
