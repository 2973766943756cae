using System.CommandLine;
using KimiLinear.Backends;
using KimiLinear.Checkpoints;
using KimiLinear.Model;
using KimiLinear.Tensors;
using KimiServer.CommandLine;

namespace Kimi.CommandLine;

/// <summary>The options that say on what and how a model computes.</summary>
internal sealed class ComputeArguments
{
    private readonly Option<ComputeDevice?> _device = new("--device")
    {
        Description = "What computes; see 'kimi inspect --devices' [default: auto].",
        HelpName = "auto|cpu|cuda:N|torch:cpu|torch:cuda:N",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (ComputeDevice.TryParse(text, out ComputeDevice? device))
            {
                return device;
            }

            result.AddError($"--device must be auto, cpu, cuda:N, torch:cpu or torch:cuda:N with N from 0, but is '{text}'.");
            return null;
        },
    };

    private readonly Option<ActivationPrecision?> _activations = ActivationOption.Create();

    private readonly Option<int?> _threads = NumberOption.Whole(
        "--threads",
        "How many threads compute, 1 to 1024 [default: one for each processor].",
        1,
        1024);

    public void AddTo(Command command)
    {
        command.Add(_device);
        command.Add(_activations);
        command.Add(_threads);
    }

    public ModelLoadOptions Read(ParseResult result, WeightFormat? format = null)
    {
        ModelLoadOptions options = new()
        {
            Device = result.GetValue(_device) ?? ComputeDevice.Auto,
            Format = format ?? WeightFormat.Source,
            Activations = result.GetValue(_activations) ?? ActivationPrecision.Auto,
        };
        return result.GetValue(_threads) is int count ? options with { ThreadCount = count } : options;
    }
}
