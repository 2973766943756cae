using System.CommandLine;

namespace KimiServer.CommandLine;

/// <summary>Flags of vllm serve that nothing here needs: each is taken, or answered with what replaces it.</summary>
internal sealed class VllmFlags
{
    // A value that asks for what is done anyway is taken.
    private readonly Flag[] _flags =
    [
        Switch("--enable-auto-tool-choice", "it is always on."),
        Value("--tool-call-parser", "The model writes calls in one form, kimi_k2.", "kimi_k2"),
        Switch("--trust-remote-code", "no code of a model is run."),
        Switch("--enable-prefix-caching", "it is on; --no-enable-prefix-caching turns it off."),
        Switch("--enable-chunked-prefill", "it is always on."),
        Switch("--enforce-eager", "it changes nothing here."),
        Switch("--disable-log-requests", "requests are not logged."),
        Switch("--no-enable-log-requests", "requests are not logged."),
        Value("--tensor-parallel-size", "One process computes on one device; choose it with --device.", "1"),
        Value("--pipeline-parallel-size", "One process computes on one device; choose it with --device.", "1"),
        Value("--data-parallel-size", "Start a server for each device, and a proxy before them.", "1"),
        Value("--dtype", "Weights are used as they are stored; 'kimi pack' converts them.", "auto"),
        Value("--quantization", "A model is converted once, with 'kimi pack'.", "none"),
        Value("--kv-cache-dtype", "The precision follows the device.", "auto"),
        Value("--load-format", "Safetensors and GGUF are told apart by themselves.", "auto", "safetensors", "gguf"),
        Value("--generation-config", "The model's own is used.", "auto"),
        Value("--tokenizer", "The model's own is used; it lies in its folder."),
        Value("--chat-template", "The model's own is built in."),
        Value(
            "--gpu-memory-utilization",
            "Conversations get half of what the model leaves; --max-num-seqs and --max-model-len limit them."),
        Value("--max-num-batched-tokens", "Steps are sized by how long they take."),
        Value("--block-size", "Pages have 64 tokens."),
        Value("--swap-space", "--prefix-folder names a folder for what memory has no room for."),
        Value("--speculative-config", "Tokens are guessed from the text so far; --draft-tokens says how many."),
        Value("--seed", "Send 'seed' with a request."),
        Value("--download-dir", "HF_HOME says where downloaded models are kept."),
        Value("--ssl-keyfile", "Put a proxy that speaks TLS before the server."),
        Value("--ssl-certfile", "Put a proxy that speaks TLS before the server."),
        Value("--root-path", "Let the proxy before the server remove the path."),
        Value("--allowed-origins", "Pages elsewhere may not use the server; put a proxy before it that lets them."),
    ];

    public void AddTo(Command command)
    {
        foreach (Flag flag in _flags)
        {
            command.Add(flag.Option);
        }

        command.Validators.Add(result =>
        {
            foreach (Flag flag in _flags)
            {
                string? value = result.GetResult(flag.Option) is { Tokens: [var token, ..] } ? token.Value : null;
                if (value is not null && !flag.Taken.Contains(value))
                {
                    result.AddError($"{flag.Option.Name} cannot be '{value}'. {flag.Answer}");
                }
            }
        });
    }

    /// <summary>What is said about the flags that were given and change nothing.</summary>
    public IReadOnlyList<string> Notes(ParseResult result) =>
    [
        .. _flags.Where(flag => result.GetResult(flag.Option) is { Implicit: false } && flag.Taken.Length == 0)
            .Select(flag => $"{flag.Option.Name} is not needed: {flag.Answer}"),
    ];

    private static Flag Switch(string name, string answer) => new(new Option<bool>(name) { Hidden = true }, answer, []);

    private static Flag Value(string name, string answer, params string[] taken) =>
        new(new Option<string?>(name) { Hidden = true }, answer, taken);

    private sealed record Flag(Option Option, string Answer, string[] Taken);
}
