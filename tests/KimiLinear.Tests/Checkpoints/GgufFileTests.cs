using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using KimiLinear.Tests.TestSupport;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed class GgufFileTests : IDisposable
{
    private const uint Float32 = 0;
    private const uint Q80 = 8;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string, byte[]> Damaged => new()
    {
        { "no GGUF file", [] },
        { "begins with 'PK12' instead of 'GGUF'", "PK12and more"u8.ToArray() },
        { "begins with the bytes 00010203", [0, 1, 2, 3, 4, 5, 6, 7] },
        { "cut off within its header", "GGUF\u0003\0\0\0\u0001\0"u8.ToArray() },
        { "big-endian", [.. "GGUF"u8, 0, 0, 0, 3, .. new byte[64]] },
        { "version 1,", new GgufWriter { Version = 1 }.ToBytes() },
        { "version 4,", new GgufWriter { Version = 4 }.ToBytes() },
        { "version 0,", new GgufWriter { Version = 0 }.ToBytes() },
        { "the number of tensors", new GgufWriter { ClaimedTensorCount = ulong.MaxValue }.ToBytes() },
        { "the number of tensors", new GgufWriter { ClaimedTensorCount = 1000 }.ToBytes() },
        { "names the tensor t more than once", new GgufWriter().Add("t", 0, [], 0).Add("t", 0, [], 0).ToBytes() },
        { "0 axes", new GgufWriter().Add("t", 0, new byte[4]).ToBytes() },
        { "5 axes", new GgufWriter().Add("t", 0, new byte[4], 1, 1, 1, 1, 1).ToBytes() },
        { "more values than can be counted", new GgufWriter().Add("t", 0, [], 1L << 40, 1L << 40).ToBytes() },
        { "more values than can be counted", new GgufWriter().Add("t", 0, [], 1L << 60, 0, 1L << 60).ToBytes() },
        { "multiple of 32", new GgufWriter().Add("t", Q80, new byte[34], 33).ToBytes() },
        { "t needs 400 bytes, but only", new GgufWriter().Add("t", 0, new byte[4], 100).ToBytes() },
        { "beyond the end", new GgufWriter().AddAt(1UL << 63, "t", 0, 1).ToBytes() },
        { "multiple of 32", new GgufWriter().Add("s", 0, new byte[64], 16).AddAt(4, "t", 0, 1).ToBytes() },
        { "where s lies", new GgufWriter().Add("s", 0, new byte[64], 16).AddAt(32, "t", 0, 1).ToBytes() },
        { "power of two", new GgufWriter().Set("general.alignment", 48u).ToBytes() },
        { "general.alignment must be", new GgufWriter().Set("general.alignment", 0u).ToBytes() },
        { "nests lists", new GgufWriter().Set("deep", Nested(6)).ToBytes() },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Open_KnownVersion_FindsMetadataAndTensors(uint version)
    {
        byte[] bytes = new GgufWriter { Version = version, Alignment = 64 }
            .Set("general.alignment", 64u)
            .Set("byte", (byte)200).Set("sbyte", (sbyte)-2).Set("ushort", (ushort)60_000).Set("short", (short)-3)
            .Set("uint", uint.MaxValue).Set("int", -4).Set("float", 0.5f).Set("true", true).Set("false", false)
            .Set("text", "Kimi é").Set("ulong", 1UL << 40).Set("long", -(1L << 40)).Set("double", 0.25)
            .Set("texts", new[] { "a", "", "ccc" }).Set("numbers", new[] { 1, -2, 3 })
            .Set("nested", Nested(2)).Set("empty", Array.Empty<int>())
            .Add("first", Float32, [.. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(2.5f)], 1, 2)
            .Add("second", Q80, new byte[68], 2, 32)
            .ToBytes();

        using GgufFile file = GgufFile.Open(_folder.Write("x.gguf", bytes));

        GgufMetadata metadata = file.Metadata;
        Assert.Equal(
            [200, -2, 60_000, -3, uint.MaxValue, -4, 1L << 40, -(1L << 40)],
            new[] { "byte", "sbyte", "ushort", "short", "uint", "int", "ulong", "long" }
                .Select(key => metadata.OptionalInteger(key, long.MinValue, long.MaxValue)!.Value));
        Assert.Equal((0.5f, 0.25f), (metadata.OptionalPositiveSingle("float"), metadata.OptionalPositiveSingle("double")));
        Assert.Equal((true, false, null), (
            metadata.OptionalBoolean("true"), metadata.OptionalBoolean("false"), metadata.OptionalBoolean("none")));
        Assert.Equal("Kimi é", metadata.OptionalText("text"));
        Assert.Equal([1, -2, 3], metadata.IntegerList("numbers", 3));
        Assert.Equal(["a", "", "ccc"], Texts(metadata.OptionalTexts("texts")!.Value));
        Assert.Equal(["first", "second"], file.Entries.Select(entry => entry.Name));
        Assert.Equal([1.5f, 2.5f], Values(file.View(file.Entries[0])));
        Assert.Equal(new Shape(2, 32), file.Entries[1].Shape);
        Assert.Equal((DataType.GgufQ80, 68), (file.View(file.Entries[1]).DataType, file.View(file.Entries[1]).ByteCount));
    }

    [Fact]
    public void Open_KeyGivenTwice_TakesTheLaterValue()
    {
        byte[] bytes = new GgufWriter().Set("length", 72u).Set("length", 576u, keepEarlier: true).ToBytes();

        using GgufFile file = GgufFile.Open(_folder.Write("x.gguf", bytes));

        Assert.Equal(576, file.Metadata.OptionalInteger("length", 0, 1000));
    }

    [Fact]
    public void Metadata_WrongTypeOrRange_NamesKeyRuleAndFile()
    {
        string path = _folder.Write("x.gguf", new GgufWriter()
            .Set("text", "x").Set("number", 7).Set("negative", -1f).Set("list", new[] { 1.5f }).ToBytes());
        using GgufFile file = GgufFile.Open(path);
        GgufMetadata metadata = file.Metadata;

        Assert.All<Func<object?>>(
            [
                () => metadata.OptionalInteger("text", 0, 9), () => metadata.OptionalInteger("number", 8, 9),
                () => metadata.OptionalText("number"), () => metadata.OptionalBoolean("number"),
                () => metadata.OptionalPositiveSingle("negative"), () => metadata.OptionalPositiveSingle("text"),
                () => metadata.IntegerList("list", 1), () => metadata.IntegerList("list", 2),
                () => metadata.IntegerList("text", 1),
                () => metadata.OptionalTexts("list"), () => metadata.Integer("absent", 0, 1),
            ],
            read =>
            {
                CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(read);
                Assert.Contains(path, exception.Message, StringComparison.Ordinal);
                Assert.EndsWith(".", exception.Message, StringComparison.Ordinal);
            });
    }

    [Theory]
    [MemberData(nameof(Damaged))]
    public void Open_DamagedOrForeign_SaysWhatIsWrong(string expected, byte[] bytes)
    {
        string path = _folder.Write("x.gguf", bytes);

        CheckpointFormatException exception = Assert.Throws<CheckpointFormatException>(() => GgufFile.Open(path));

        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.Contains(path, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AnyCut_IsRefused()
    {
        byte[] whole = Small().ToBytes();
        int dataEnd = Array.LastIndexOf(whole, (byte)'Z') + 1;

        for (int length = 0; length < dataEnd; length++)
        {
            string path = _folder.Write("x.gguf", whole.AsSpan(0, length));

            Assert.Throws<CheckpointFormatException>(() => GgufFile.Open(path).Dispose());
        }
    }

    // One byte read beyond the file would end the whole test process.
    [Fact]
    public unsafe void Parse_AnyDamage_StaysInsideTheFileOrRefusesIt()
    {
        byte[] whole = Small().ToBytes();
        Gen<(int Place, int Value)[]> damage = Gen.Choose(0, whole.Length - 1)
            .SelectMany(place => Gen.OneOf(Gen.Choose(0, 255), Gen.Elements(0, 1, 127, 128, 255)).Select(value => (place, value)))
            .NonEmptyListOf()
            .Select(list => list.Take(2).ToArray());
        Gen<int> length = Gen.Frequency((3, Gen.Constant(whole.Length)), (1, Gen.Choose(0, whole.Length)));
        int parsed = 0;
        int refused = 0;

        Prop.ForAll(damage.ToArbitrary(), length.ToArbitrary(), (changes, byteCount) =>
        {
            byte[] bytes = [.. whole];
            foreach ((int place, int value) in changes)
            {
                bytes[place] = (byte)value;
            }

            using GuardedMemory memory = new(byteCount);
            bytes.AsSpan(0, byteCount).CopyTo(new Span<byte>(memory.Data, byteCount));
            try
            {
                GgufHeader header = GgufHeaderParser.Parse(memory.Data, byteCount, "x");
                parsed++;
                ReadEverything(header, memory.Data);
            }
            catch (CheckpointFormatException exception)
            {
                refused++;
                Assert.Equal("x", exception.FilePath);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(4000));

        Assert.InRange(parsed, 200, 4000);
        Assert.InRange(refused, 200, 4000);
    }

    private static unsafe void ReadEverything(GgufHeader header, byte* file)
    {
        try
        {
            _ = header.Metadata.OptionalTexts("texts") is { } texts ? Texts(texts) : [];
            _ = header.Metadata.OptionalText("general.architecture");
            _ = header.Metadata.Has("numbers") ? header.Metadata.IntegerList("numbers", 2) : [];
        }
        catch (CheckpointFormatException)
        {
            // A value of another type, or no text.
        }

        foreach (GgufEntry entry in header.Entries.Where(entry => entry.Type.DataType is not null))
        {
            float[] values = new float[entry.Shape.ElementCount];
            byte* data = file + header.DataOffset + entry.Offset;
            StoredValues.CopyTo(new StoredTensor(entry.Name, entry.Type.DataType!.Value, entry.Shape, data, ""), values);
        }
    }

    private static GgufWriter Small() => new GgufWriter()
        .Set("general.architecture", "kimi-linear")
        .Set("texts", new[] { "a", "bb" })
        .Set("numbers", new[] { 1, 2 })
        .Set("nested", Nested(2))
        .Add("first", Float32, new byte[8], 2)
        .Add("second", Q80, Enumerable.Repeat((byte)'Z', 34).ToArray(), 1, 32);

    private static Array Nested(int depth) => depth == 1 ? new[] { 1, 2 } : new object[] { Nested(depth - 1) };

    private static List<string> Texts(GgufTexts texts)
    {
        List<string> result = [];
        foreach (ReadOnlySpan<byte> text in texts)
        {
            result.Add(System.Text.Encoding.UTF8.GetString(text));
        }

        return result;
    }

    private static float[] Values(StoredTensor tensor)
    {
        float[] values = new float[tensor.Shape.ElementCount];
        StoredValues.CopyTo(tensor, values);
        return values;
    }
}
