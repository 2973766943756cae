using Microsoft.SemanticKernel;

namespace SemanticKernelSample;

/// <summary>Shows each call of a function, and what it gave, beside the answer.</summary>
internal sealed class CallPrinter : IFunctionInvocationFilter
{
    public async Task OnFunctionInvocationAsync(FunctionInvocationContext context, Func<FunctionInvocationContext, Task> next)
    {
        await next(context);
        // The prompt is a function too, but of no plugin.
        if (context.Function.PluginName is { } plugin)
        {
            string arguments = string.Join(", ", context.Arguments.Select(argument => $"{argument.Key}: {argument.Value}"));
            await Console.Error.WriteLineAsync($"  {plugin}.{context.Function.Name}({arguments}) → {context.Result}");
        }
    }
}
