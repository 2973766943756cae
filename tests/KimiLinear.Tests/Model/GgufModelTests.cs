using KimiLinear.Model;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Model;

public sealed class GgufModelTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string name in GgufGolden.Names)
            {
                cases.Add(name, Backend.Reference);
                cases.Add(name, Backend.Default);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForwardEveryToken_EveryFormat_MatchesTheExactLogits(string name, string backend)
    {
        (int[] ids, float[] expected) = GgufGolden.Expected(name);
        using KimiLinearModel model = Backend.Load(GgufGolden.File(name), backend);

        float[] logits = model.EveryLogits(ids);

        TensorAssert.Close(logits, expected, Tolerance, $"{name} on {backend}");
    }
}
