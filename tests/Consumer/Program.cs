// Uses the packages as an application does; nothing here sees the source tree. See .ci/run.
using System.Reflection;
using KimiLinear.Caching;
using KimiLinear.Model;
using KimiLinear.Tokenization;

if (args is not [string modelDirectory])
{
    Console.Error.WriteLine("Usage: Consumer <model folder>");
    return 2;
}

Console.WriteLine($"KimiLinear {PackageVersion()}");
string reply = Reply(modelDirectory, "What is the capital of France?");
Console.WriteLine($"The model begins its reply with '{reply}'.");
return string.IsNullOrWhiteSpace(reply) ? 1 : 0;

static string Reply(string modelDirectory, string question)
{
    KimiTokenizer tokenizer = KimiTokenizer.Load(modelDirectory);
    using KimiLinearModel model = KimiLinearModel.Load(modelDirectory);
    using SequenceState sequence = model.CreateSequence();

    int[] prompt = tokenizer.Encode(
        $"<|im_user|>user<|im_middle|>{question}<|im_end|><|im_assistant|>assistant<|im_middle|>",
        allowSpecialTokens: true);
    float[] logits = new float[model.Config.VocabularySize];
    model.Forward(sequence, prompt, logits);
    return tokenizer.Decode([Array.IndexOf(logits, logits.Max())]);
}

static string PackageVersion() =>
    typeof(KimiLinearModel).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
