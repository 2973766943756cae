using System.Text;
using KimiLinear.Configuration;
using KimiLinear.Tests.Checkpoints;
using Xunit;

namespace KimiLinear.Tests.Configuration;

public sealed class KimiLinearConfigWriterTests
{
    [Theory]
    [MemberData(nameof(TestModels.Folders), MemberType = typeof(TestModels))]
    public void Write_ModelFolder_ReadsBackTheSame(string folder) =>
        AssertReadsBack(KimiLinearConfig.Load(TestModels.FullPath(folder)));

    [Fact]
    public void Write_PublishedModel_ReadsBackTheSame() => AssertReadsBack(PublishedConfig.Parse());

    private static void AssertReadsBack(KimiLinearConfig config)
    {
        string json = KimiLinearConfigWriter.Write(config).ToJsonString();

        KimiLinearConfig read = KimiLinearConfig.Parse(Encoding.UTF8.GetBytes(json));

        Assert.Equal(config.LayerKinds, read.LayerKinds);
        Assert.Equal(config.SparseLayers, read.SparseLayers);
        Assert.Equal(config.EosTokenIds, read.EosTokenIds);
        Assert.Equal(config, read with
        {
            LayerKinds = config.LayerKinds,
            SparseLayers = config.SparseLayers,
            EosTokenIds = config.EosTokenIds,
        });
    }
}
