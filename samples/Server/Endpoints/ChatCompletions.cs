using KimiServer.Hosting;
using KimiServer.Replies;
using KimiServer.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.AI;

namespace KimiServer.Endpoints;

/// <summary>POST /v1/chat/completions: the next turn of a conversation.</summary>
internal static class ChatCompletions
{
    public static async Task HandleAsync(HttpContext context, ServedModel model)
    {
        ChatRequest request = ChatRequest.Read(await RequestFields.ReadAsync(context));
        model.RequireName(request.Model);
        IAsyncEnumerable<ChatResponseUpdate> updates = ModelRefusals.Translate(
            () => model.Client.GetStreamingResponseAsync(request.Messages, request.Options, context.RequestAborted));
        ChatReply reply = new(model.Name);
        if (request.Stream.IsWanted)
        {
            await StreamAsync(context, reply, updates, request.Stream.IncludesUsage);
        }
        else
        {
            ChatResponse response = await updates.ToChatResponseAsync(context.RequestAborted);
            await JsonReply.WriteAsync(context.Response, reply.Whole(response), context.RequestAborted);
        }
    }

    private static async Task StreamAsync(
        HttpContext context, ChatReply reply, IAsyncEnumerable<ChatResponseUpdate> updates, bool includesUsage)
    {
        ChatResponseUpdate? last = null;
        int callCount = 0;
        await foreach (ChatResponseUpdate update in updates.WithCancellation(context.RequestAborted))
        {
            // The status is settled once there is something to send: until then the request may still be refused.
            if (last is null)
            {
                ServerSentEvents.Begin(context.Response);
                await ServerSentEvents.WriteAsync(context.Response, reply.Begin(), context.RequestAborted);
            }

            last = update;
            if (update.Text.Length > 0)
            {
                await ServerSentEvents.WriteAsync(context.Response, reply.Text(update.Text), context.RequestAborted);
            }

            foreach (FunctionCallContent call in update.Contents.OfType<FunctionCallContent>())
            {
                await ServerSentEvents.WriteAsync(context.Response, reply.Call(call, callCount++), context.RequestAborted);
            }
        }

        await ServerSentEvents.WriteAsync(context.Response, reply.End(last!.FinishReason), context.RequestAborted);
        if (includesUsage)
        {
            await ServerSentEvents.WriteAsync(context.Response, reply.Usage(last), context.RequestAborted);
        }

        await ServerSentEvents.EndAsync(context.Response, context.RequestAborted);
    }
}
