using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Net.Sockets;
using KimiLinear.Backends;
using KimiLinear.Extensions.AI;
using KimiLinear.Scheduling;
using KimiLinear.Tensors;
using KimiServer.Hosting;
using Microsoft.AspNetCore.Connections;

namespace KimiServer.CommandLine;

/// <summary>The command that starts a server, with the flags that vllm serve has for the same things.</summary>
public sealed class ServeCommand
{
    /// <summary>The environment variable that holds the key; a command line would show it to the whole machine.</summary>
    public const string ApiKeyVariable = "KIMI_API_KEY";

    /// <summary>Command lines to learn from.</summary>
    public static readonly string[] Examples =
    [
        "kimi serve MODEL                                    then open http://127.0.0.1:8000",
        "kimi serve MODEL --host 0.0.0.0 --port 9000 --api-key SECRET",
        "kimi serve MODEL --served-model-name kimi --max-num-seqs 32 --max-model-len 32k",
    ];

    private readonly Argument<string?> _model = new("MODEL")
    {
        Description = "The model's folder, a GGUF file, or its name on the hub, from where it is downloaded once.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _modelOption = new("--model", "-m")
    {
        Description = "The same, as an option.",
        HelpName = "MODEL",
    };

    private readonly Option<string> _host = new("--host")
    {
        Description = "The address to listen on; 0.0.0.0 or :: for all.",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    private readonly Option<int?> _port = NumberOption.Whole(
        "--port", "The port to listen on; 0 takes a free one [default: 8000].", 0, 65535);

    private readonly Option<string[]> _apiKeys = new("--api-key")
    {
        Description = $"A key that requests must carry; may be given several times. Without it {ApiKeyVariable} is read.",
        HelpName = "KEY",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string[]> _names = new("--served-model-name")
    {
        Description = "The names requests may ask for [default: the folder's].",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<int?> _maxSequences = NumberOption.Whole(
        "--max-num-seqs", "How many requests are computed side by side [default: 64].", 1);

    private readonly Option<int?> _maxQueued = NumberOption.Whole(
        "--max-queued-requests", "How many more may wait; the next is answered with 429 [default: 1024].", 0);

    private readonly Option<int?> _maxModelLength = new("--max-model-len")
    {
        Description = "The most tokens of a request, reply included; 32k is 32,000 and 32K is 32,768 [default: the model's, and no more].",
        HelpName = "N",
        CustomParser = result => TokenCount.TryParse(result.Tokens[0].Value, out int count)
            ? count
            : Refuse<int?>(
                result, $"--max-model-len must be a number of tokens such as 8192, 8k or 8K, but is '{result.Tokens[0].Value}'."),
    };

    private readonly Option<int?> _maxTokens = NumberOption.Whole(
        "--default-max-tokens",
        "The longest reply of requests that name no limit [default: the model's, or as long as the context].",
        1);

    private readonly Option<int?> _maxRequestMegabytes = NumberOption.Whole(
        "--max-request-mb",
        "The longest body of a request in mebibytes; a longer one is answered with 413 [default: 32].",
        1,
        1024);

    private readonly Option<string> _device = new("--device")
    {
        Description = "What computes.",
        HelpName = "auto|cpu|cuda:N|torch:cpu|torch:cuda:N",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<int?> _threads = NumberOption.Whole(
        "--threads", "How many threads compute, 1 to 1024 [default: one for each processor].", 1, 1024);

    private readonly Option<string> _activations = new("--activations")
    {
        Description = "How exactly activations meet quantised weights; int8 serves dozens of callers fastest.",
        HelpName = "auto|int8|int16|float32",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<bool> _noPrefixes = new("--no-enable-prefix-caching")
    {
        Description = "Read every conversation from its start.",
    };

    private readonly Option<string?> _prefixFolder = new("--prefix-folder")
    {
        Description = "Where conversations go that memory has no room for [default: they are read again].",
        HelpName = "DIR",
    };

    private readonly Option<int?> _draftTokens = NumberOption.Whole(
        "--draft-tokens",
        "How many tokens to guess at most from the text so far, and check in one step; 0 for none [default: 8].",
        0,
        64);

    private readonly VllmFlags _flags = new();

    internal ServeCommand()
    {
        Require(_host, "an IP address or localhost", host => ParseAddress(host) is not null);
        Require(_apiKeys, "a text", keys => !keys.Any(string.IsNullOrWhiteSpace));
        Require(_names, "a text", names => !names.Any(string.IsNullOrWhiteSpace));
        Require(
            _device, "auto, cpu, cuda:N, torch:cpu or torch:cuda:N with N from 0", name => ComputeDevice.TryParse(name, out _));
        Require(_activations, "auto, int8, int16 or float32", name => TryParseActivations(name, out _));
    }

    /// <summary>Makes the command as one of a larger tool.</summary>
    /// <returns>The command <c>serve</c>.</returns>
    public static Command Create() => new ServeCommand().FillIn(
        new Command("serve", "Serves a model over OpenAI's interface, with a chat page."));

    /// <summary>Makes the command as a program of its own.</summary>
    /// <returns>The root command.</returns>
    public static RootCommand AsRoot()
    {
        RootCommand root = new("Serves a Kimi-Linear model over OpenAI's interface, with a chat page.");
        new ServeCommand().FillIn(root);
        return root;
    }

    internal Command FillIn(Command command)
    {
        command.Add(_model);
        foreach (Option option in (Option[])
            [
                _modelOption, _host, _port, _apiKeys, _names, _maxSequences, _maxQueued, _maxModelLength, _maxTokens,
                _maxRequestMegabytes, _device, _threads, _activations, _noPrefixes, _prefixFolder, _draftTokens,
            ])
        {
            command.Add(option);
        }

        _flags.AddTo(command);
        command.Validators.Add(RequireOneModel);
        command.Validators.Add(RequirePrefixesForTheirFolder);
        command.SetAction((result, cancellationToken) => RunAsync(Read(result), cancellationToken));
        return command;
    }

    private const string ModelOption = nameof(KimiLinearChatClientOptions.ModelPath);

    private const string ContextOption = nameof(KimiLinearChatClientOptions.MaxContextTokens);

    // What only the disk can tell is found out before the server listens and the model is loaded.
    private async Task RunAsync(ServerSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            new EngineOptions { PrefixFolder = settings.Model.PrefixFolder }.PreparePrefixFolder();
        }
        catch (IOException exception)
        {
            throw new ArgumentException(
                $"{_prefixFolder.Name}: '{settings.Model.PrefixFolder}' cannot be used: {exception.InnerException!.Message} "
                + "Name another folder, or leave the option out.",
                exception);
        }

        try
        {
            await ChatServer.RunAsync(settings, cancellationToken);
        }
        catch (InvalidOperationException exception)
            when (exception.InnerException is ArgumentException
                && exception.Message.StartsWith(ContextOption, StringComparison.Ordinal))
        {
            // What the library calls an option is a flag here.
            throw new ArgumentException(_maxModelLength.Name + exception.Message[ContextOption.Length..], exception);
        }
        catch (InvalidOperationException exception)
            when (exception.InnerException is ArgumentException
                && exception.Message.StartsWith(ModelOption, StringComparison.Ordinal))
        {
            // The framework appends the parameter's name.
            string message = exception.Message.Split(" (Parameter '")[0];
            throw new ArgumentException(_model.Name + message[ModelOption.Length..], exception);
        }
        catch (Exception exception) when (exception is SocketException or IOException { InnerException: AddressInUseException })
        {
            throw new IOException(
                $"Nothing can listen on {new IPEndPoint(settings.Address, settings.Port)}: {exception.Message.TrimEnd('.')}. "
                + $"Choose another address or port with {_host.Name} and {_port.Name}.",
                exception);
        }
    }

    private void RequirePrefixesForTheirFolder(CommandResult result)
    {
        if (result.GetResult(_prefixFolder) is not null && result.GetValue(_noPrefixes))
        {
            result.AddError(
                $"{_prefixFolder.Name} is for what {_noPrefixes.Name} says not to keep. Leave one of them out.");
        }
    }

    private void RequireOneModel(CommandResult result)
    {
        if (result.GetResult(_model) is { Tokens.Count: > 0 } == result.GetResult(_modelOption) is not null)
        {
            result.AddError("Name one model: its folder, a GGUF file, or org/name on the hub.");
        }
    }

    internal ServerSettings Read(ParseResult result)
    {
        string[] keys = result.GetValue(_apiKeys)!;
        string? variable = Environment.GetEnvironmentVariable(ApiKeyVariable);
        KimiLinearChatClientOptions model = new()
        {
            ModelPath = result.GetValue(_model) ?? result.GetValue(_modelOption)!,
            Device = result.GetValue(_device)!,
            ThreadCount = result.GetValue(_threads),
            Activations = TryParseActivations(result.GetValue(_activations)!, out ActivationPrecision activations) ? activations : default,
            MaxContextTokens = result.GetValue(_maxModelLength),
            DefaultMaxOutputTokens = result.GetValue(_maxTokens),
            ReusePrefixes = !result.GetValue(_noPrefixes),
            PrefixFolder = result.GetValue(_prefixFolder),
            MaxDraftTokens = result.GetValue(_draftTokens) ?? 8,
            // Clients are not of .NET alone, and JSON Schema asks for the offset.
            UseLocalTimes = false,
            // A client is told what it cannot have, unless it calls a schema a wish.
            UnsupportedOptionBehavior = UnsupportedOptionBehavior.Throw,
        };
        model.MaxConcurrentRequests = result.GetValue(_maxSequences) ?? model.MaxConcurrentRequests;
        model.MaxQueuedRequests = result.GetValue(_maxQueued) ?? model.MaxQueuedRequests;
        return new ServerSettings
        {
            Model = model,
            ServedModelNames = result.GetValue(_names)!,
            Address = ParseAddress(result.GetValue(_host)!)!,
            Port = result.GetValue(_port) ?? 8000,
            ApiKeys = keys.Length > 0 || string.IsNullOrEmpty(variable) ? keys : [variable],
            MaxRequestBytes = (result.GetValue(_maxRequestMegabytes) ?? 32L) << 20,
            Notes = _flags.Notes(result),
        };
    }

    private static bool TryParseActivations(string name, out ActivationPrecision precision)
    {
        ActivationPrecision? parsed = name switch
        {
            "auto" => ActivationPrecision.Auto,
            "int8" => ActivationPrecision.Int8,
            "int16" => ActivationPrecision.Int16,
            "float32" => ActivationPrecision.Float32,
            _ => null,
        };
        precision = parsed ?? default;
        return parsed is not null;
    }

    private static IPAddress? ParseAddress(string host) =>
        host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(host, out IPAddress? address) ? address : null;

    private static void Require<T>(Option<T> option, string rule, Func<T, bool> holds) => option.Validators.Add(result =>
    {
        if (result is { Implicit: false, Tokens: [var token, ..] } && result.GetValueOrDefault<T>() is { } value && !holds(value))
        {
            result.AddError($"{option.Name} must be {rule}, but is '{token.Value}'.");
        }
    });

    private static T? Refuse<T>(ArgumentResult result, string message)
    {
        result.AddError(message);
        return default;
    }
}
