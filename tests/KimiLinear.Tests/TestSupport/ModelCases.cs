using Xunit;

namespace KimiLinear.Tests.TestSupport;

/// <summary>Which golden checkpoint meets which backend.</summary>
/// <remarks>The plain loops are slow, so they run the cheapest ones on short inputs.</remarks>
internal static class ModelCases
{
    // One page, and some tokens of the next.
    private const int ReferenceInputLength = 70;

    private static readonly string[] CheapModels = ["plain", "no-shared"];

    /// <summary>Every backend.</summary>
    public static TheoryData<string, string> All => Cross(Backend.Available);

    /// <summary>The backends in memory of the library's own.</summary>
    public static TheoryData<string, string> Hosted => Cross(Backend.Hosted);

    /// <summary>The backends a user can get.</summary>
    public static TheoryData<string, string> Production => Cross(Backend.Production);

    /// <summary>The checkpoint's input, as much of it as the backend can chew.</summary>
    public static int[] Input(GoldenExpectation expected, string backend)
    {
        int[] ids = expected.InputIds;
        return backend == Backend.Reference ? ids[..Math.Min(ids.Length, ReferenceInputLength)] : ids;
    }

    /// <summary>Token ids of any length, different for every start: the checkpoint's input over and over.</summary>
    public static int[] Repeat(int[] ids, int start, int length) =>
        [.. Enumerable.Range(start, length).Select(i => ids[i % ids.Length])];

    private static TheoryData<string, string> Cross(IEnumerable<string> backends)
    {
        TheoryData<string, string> cases = [];
        foreach (string backend in backends)
        {
            foreach (string model in backend == Backend.Reference ? CheapModels : Golden.ModelNames)
            {
                cases.Add(model, backend);
            }
        }

        return cases;
    }
}
